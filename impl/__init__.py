"""The reference: a small memory manager in plain Python, and the code that is proved.

Public functions have one habit. A method takes any numbers: what it cannot do or answer it refuses, with None, False or
a size of 0, and nothing changes. It never raises an error. Only a constructor, and a function of no object, may
be of some numbers alone: `pre:` says of which, and of others nothing is promised.
"""
