"""The reference: a small memory manager in plain Python, and the code that is proved.

All public functions treat bad arguments alike. A method takes any numbers: what it cannot do or answer it refuses, with
None, False or a size of 0, and nothing changes. It never raises an error. Only a constructor, or a function outside a
class, may be limited to some numbers: `pre:` says to which, and of others nothing is promised.
"""
