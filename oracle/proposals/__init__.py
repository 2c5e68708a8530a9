"""Proposes a binding of a library: reads its symbols and its header, guesses what its functions are, and tries them."""
