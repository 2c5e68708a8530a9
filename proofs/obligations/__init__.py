"""What is owed, and who settles it: obligations, the queries they make, the solver, and the processes it runs in."""
