"""What faults are seeded: all of a module (`mutants.py`), and what is done to its statements, expressions, classes."""
