"""The reference: a small memory manager in plain Python, and the code that is proved."""
