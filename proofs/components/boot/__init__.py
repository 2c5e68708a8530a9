"""Proofs of the memory map: of its law, and of the code of `impl/boot.py`."""
