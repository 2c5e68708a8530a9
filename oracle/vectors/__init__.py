"""Golden vectors: what the law requires of the calls of small sequences, for unit tests in other languages."""
