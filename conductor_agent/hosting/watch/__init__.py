"""Workers seen from outside: what their processes use, how full their scratch is, and how they are ended."""
