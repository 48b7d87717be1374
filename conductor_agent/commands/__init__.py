"""What the command `conductor` shows and takes, a file for each group of commands."""
