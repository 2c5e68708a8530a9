"""Containers that are lighter than the reference's, or find what those do not. They know nothing of traces."""
