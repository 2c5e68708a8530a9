"""The replay of ranges of addresses, as buddy systems and as runs."""
