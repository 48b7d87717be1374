"""How conductors are made and judged. Nothing imports it; torch is imported only where it is used."""
