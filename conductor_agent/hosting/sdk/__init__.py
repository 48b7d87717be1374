"""What stands behind `extension.py`: what an extension may know and do within one attempt."""
