"""A real workflow in the three modes: who owns failures, and what comes of it, in seconds."""
