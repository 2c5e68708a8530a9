"""How fast `memoracle check` is, and how much memory it takes, beside other ways to check the same operations."""
