"""Who owns failures, measured: what `fqg compare` plays, counts and tells."""
