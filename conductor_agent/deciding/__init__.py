"""How a real run decides: what may be chosen, who is asked, what of it is insisted on, and how it is told."""
