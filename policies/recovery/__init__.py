"""Who decides: recovery policies, from the rules people use today to the trained conductor."""
