"""Extensions in their own processes: the SDK for authors, the worker that runs one, the limits around it."""
