"""Worker processes on the conductor's side: started, kept warm, lent to one call at a time, spoken with."""
