"""What an extension may use: limits by class, how they tighten, and what a breach is called."""
