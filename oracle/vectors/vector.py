"""What a golden vector says: calls, and what is required of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from memoracle.drive.target import Answer
from memoracle.spec.geometry import Geometry

NULLABLE = ("page.translate", "page.attributes")  # operations that may answer that there is nothing
SUCCESS, REFUSAL = "success", "refusal"


class Given(NamedTuple):
    """A number that an earlier call gives: what the step of this number answered, and what is added to it."""

    step: int
    added: int


@dataclass(frozen=True)
class Called:
    """What a library that vectors are of can be asked, by operation: what else there is, it has not.

    operations: the arguments that each is told.  refusing: those that say that they refuse misuse.
    whole: the arguments that can only be whole pages.
    """

    operations: Mapping[str, frozenset[str]]
    refusing: Collection[str]
    whole: Mapping[str, Collection[str]]


@dataclass
class Step:
    """One call.

    arguments: numbers, names, truths, or what an earlier step gave.
    requires: SUCCESS or REFUSAL, whatever legal choices the earlier calls made; None where it depends on these: such a
    step, and those that name what it gives, are for level `exact` alone.
    legal: the answers of which one is due; None where any is.
    bytes: that it hands out, from its result or the address that it names on, which must be disjoint from what was
    handed out and not given back; or that it gives back.  released: bytes that are given back before, each with the
    step that gave them: a block that is resized, and the frames that freed pages showed.
    gives: whether an answer is a number of its own, as that of a process is, which must differ from those there are.
    anywhere: whether the law leaves it to who is tested where that lies; then it lies in `within`, the first address
    and the one after the last, at a multiple of `alignment`.
    reference: what the reference answers, if it answered all earlier calls.  clauses: that it exercises.
    """

    operation: str
    arguments: Mapping[str, Any]
    reference: Answer
    requires: str | None = None
    legal: Sequence[Any] | None = None
    bytes: int = 0
    released: Sequence[tuple[int, int]] = ()
    gives: bool = False
    anywhere: bool = False
    within: tuple[int, int] | None = None
    alignment: int = 1
    clauses: Sequence[str] = ()


@dataclass
class Vector:
    """Calls in a row, from a fresh start."""

    name: str
    steps: list[Step] = field(default_factory=list)

    @property
    def clauses(self) -> list[str]:
        """That its calls exercise."""
        return list(dict.fromkeys(name for step in self.steps for name in step.clauses))


@dataclass(frozen=True)
class Vectors:
    """All vectors of a component. law: which text of the law they are of. stated: the geometry as a header has it.

    unit: in how many bytes what is handed out is counted.
    """

    component: str
    geometry: Geometry
    stated: object
    law: Mapping[str, str]
    vectors: Sequence[Vector]
    unit: int
