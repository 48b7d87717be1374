"""One extension at a time: the SDK for authors, its worker process, and the limits around it."""
