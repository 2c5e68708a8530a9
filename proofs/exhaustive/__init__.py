"""Exhaustive checks: at small sizes, the reference and the law are run through every state."""
