"""Episodes on disk in Minari's format: written, read, and learned from."""
