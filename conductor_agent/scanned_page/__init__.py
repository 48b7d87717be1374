"""A real workflow: scanned page -> text -> language -> search, by models that come with pip alone."""
