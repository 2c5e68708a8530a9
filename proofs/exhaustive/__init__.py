"""Small sizes, every state: what is checked by running the reference and the law through all of them."""
