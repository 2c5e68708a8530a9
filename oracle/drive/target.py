"""What is driven: whatever answers operations of the law."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import UNDEFINED


class Answer(NamedTuple):
    """What came of a call: a result, or why it was refused. frames: of kernel pages, those that they show, in order."""

    result: Any = None
    error: str | None = None
    frames: Sequence[int] | None = None


class DiedError(Exception):
    """The target is no more, or says what is no answer; the text says which."""


class Target(Protocol):
    """A live memory manager, as it is after it was started.

    operations: that it has; of each, the arguments that a call may name.
    refusing: those that can say that they refuse.
    """

    @property
    def operations(self) -> Mapping[str, frozenset[str]]: ...

    @property
    def refusing(self) -> frozenset[str]: ...

    def call(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        """Calls one operation. Raises DiedError and NotAskedError."""
        ...


def misusable(refusing: frozenset[str], geometry: Geometry) -> frozenset[str]:
    """The operations of which calls may be made that the law refuses: they can say so, and it is not undefined."""
    return refusing - {operation for operation, policy in geometry.misuse if policy == UNDEFINED}
