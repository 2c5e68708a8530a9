"""A failure written out as a test of its own, in the language of whoever has to mend it."""
