"""The public functions of the package: what the commands do, for tests and scripts of one's own."""
