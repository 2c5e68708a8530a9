"""Faults seeded in the code and the law, which the proofs must refute."""
