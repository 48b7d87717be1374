"""Worker processes from our side: started, kept warm, lent to one call at a time, spoken with."""
