"""The files that people write: workflows and manifests, what they declare, and their schemas."""
