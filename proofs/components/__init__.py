"""A component's proofs: of its law, and of its code."""
