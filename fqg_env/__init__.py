"""Function Quest: a game of functions that fail without retrying, and the language it is told in."""
