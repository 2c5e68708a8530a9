"""Takes parts of an object away for a while, so that code which reads what they were is found out.

A stand-in does what is proved of the real code, but not all that this does to the object: what it leaves to that, code
must not read afterwards.
"""

from __future__ import annotations

from memoracle.proofs.symbolic.containers import Unasked


class Gone(Unasked):
    """In the place of a part that must not be read any more: nothing can be done with it."""


class Withheld:
    """Attributes that are taken away until they are put back."""

    def __init__(self) -> None:
        self.taken: list[tuple[dict[str, object], str, object]] = []

    def take(self, owner: object, *names: str) -> None:
        """Takes away these attributes of an object, if they were not yet."""
        held = vars(owner)
        for name in names:
            if not isinstance(held[name], Gone):
                self.taken.append((held, name, held[name]))
                held[name] = Gone()

    def put_back(self) -> None:
        """Puts those back that were not replaced since."""
        while self.taken:
            held, name, value = self.taken.pop()
            if isinstance(held.get(name), Gone):
                held[name] = value
