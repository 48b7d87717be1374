"""The judge: which levels, who plays them, what is counted, and how sure that is."""
