"""Objects of the reference that its constructors do not make: with stand-ins, or any values, for attributes."""

from __future__ import annotations


def constructed(kind: type[object], **attributes: object) -> object:
    """An object of a class that has these attributes, and no other."""
    made = object.__new__(kind)
    made.__dict__.update(attributes)
    return made
