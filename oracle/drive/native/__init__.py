"""What a shared library is made of and given: its symbols and functions, callbacks, panics, memory."""
