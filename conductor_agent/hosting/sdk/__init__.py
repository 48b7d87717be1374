"""The SDK behind `hosting/extension.py`: what an extension may know and do within one attempt."""
