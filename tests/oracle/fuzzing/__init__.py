"""Inputs that nobody should send, for every reader of the oracle, and what must hold whatever they are."""
