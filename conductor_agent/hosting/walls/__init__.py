"""The walls around a worker: what it may read, reach and use, which of them hold here, what enforces each."""
