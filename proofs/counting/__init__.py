"""Counts states and transitions in three ways, one of them by formulas that others have published."""
