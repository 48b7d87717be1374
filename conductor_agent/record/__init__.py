"""What is written down of runs: events, the journal, the fold, and the ledger of extensions."""
