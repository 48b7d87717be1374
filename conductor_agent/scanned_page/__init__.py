"""A real workflow: scanned page -> text -> language -> search, by models that pip alone brings."""
