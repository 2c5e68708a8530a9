"""The replay of kmem logs."""
