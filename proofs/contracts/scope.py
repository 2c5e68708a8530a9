"""What the small scope of a component's contracts is: a range for each argument, and what leads to the states.

A case is one value for each parameter, `self` included. Nothing is picked by hand but the range of each argument: the
states of an object are all those that its own public operations lead to from its constructor, called with every
argument of the scope that their preconditions admit (`states.py`). The scopes themselves are in `scopes.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

STATES_AT_MOST = 2000


class Step(NamedTuple):
    """One call that changes a state, in words and as what does it."""

    said: str
    run: Callable[[object], object]


@dataclass(frozen=True)
class Scope:
    """The range of each argument of a component, by `parameter` or, where it differs, by `function.parameter`.

    said: the scope in words.  reaching: narrower ranges for the operations that lead to the states.
    more: by class, what changes an object's state beside its own operations.
    """

    said: str
    arguments: Mapping[str, Sequence[object]]
    reaching: Mapping[str, Sequence[object]] = field(default_factory=dict)
    more: Mapping[str, Sequence[Step]] = field(default_factory=dict)

    def range_of(self, function: str, parameter: str, reaching: bool = False) -> Sequence[object] | None:
        """The values of a parameter; None if the scope has none for it."""
        for ranges in (self.reaching, self.arguments) if reaching else (self.arguments,):
            for key in (f"{function}.{parameter}", parameter):
                if key in ranges:
                    return ranges[key]
        return None


NO_SCOPE = Scope("values of CrossHair's own choice", {})


@dataclass(frozen=True)
class State:
    """An object as bytes, and how it came about: a constructor's call and the operations after it."""

    image: bytes
    history: str
