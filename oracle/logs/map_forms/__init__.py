"""The forms in which firmware, boot loaders and kernels print a memory map: a file for each, and a table of them."""
