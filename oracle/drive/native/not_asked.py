"""What ends a call before it is made."""

from __future__ import annotations


class NotAskedError(Exception):
    """A call that cannot be put to the target: an address that is no frame's number, say. Nothing was called."""
