"""Scenario 2 for real: RNA is folded by an expert's extension, or by a naive one, with a fallback."""
