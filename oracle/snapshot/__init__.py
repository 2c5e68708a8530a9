"""A machine's memory at one moment: how dumps of it are read, what its page tables map, and what is wrong there."""
