"""Counts of states and transitions that are known from elsewhere."""
