"""The mutation operators: changes of statements, of expressions and of classes; `mutants.py` has all of a module."""
