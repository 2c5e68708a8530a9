"""How code and law become formulas: numbers, containers, paths through code, and points at which clauses are taken."""
