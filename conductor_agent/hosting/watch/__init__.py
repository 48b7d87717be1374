"""What is seen of workers from outside, and how they are ended: their trees, their scratch, the watchdog."""
