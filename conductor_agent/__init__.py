"""The production runtime: real extensions, hosted under limits and conducted by a policy."""
