"""The commands: each reads its input, asks the rest, and reports."""
