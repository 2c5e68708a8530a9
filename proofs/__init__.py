"""The evidence: the law against itself, and the reference's code against the law."""
