"""The replay of the heap."""
