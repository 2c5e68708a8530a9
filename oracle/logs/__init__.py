"""Logs of real machines: what a text is, and the memory maps that it holds."""
