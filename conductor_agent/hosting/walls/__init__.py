"""What keeps an extension in: the ways to wall it in, which of them hold here, and what each enforces."""
