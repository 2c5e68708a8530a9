"""What is covered together: operations on one kind of thing, and what tells the states of it apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

from memoracle.drive.calls import Wish
from memoracle.drive.program import NUMBERS
from memoracle.drive.target import Answer
from memoracle.trace.numbers import number

Situation: TypeAlias = Any  # what a target has handed out, with the numbers that it chose; hashable
State: TypeAlias = Any  # the same without numbers that mean nothing to the law; hashable
Asks: TypeAlias = Mapping[str, frozenset[str]]  # by operation, the arguments that a call may name
NOBODY = 1 << 20  # no process has this number, or it is another


class Call(NamedTuple):
    """A call that is made in a state.

    process: its place among the processes of the situation, 0 the kernel; None where the call names none.
    block: the place of a block among those of the situation, where the target chooses addresses freely.
    """

    operation: str
    arguments: tuple[tuple[str, Any], ...] = ()
    process: int | None = None
    block: int | None = None


class Family(Protocol):
    """Operations that are covered together.

    name: for people.  start: the situation after the target was started.
    """

    @property
    def name(self) -> str: ...

    @property
    def start(self) -> Situation: ...

    def state(self, situation: Situation) -> State:
        """What the law knows of a situation: calls that differ in nothing else need not be made twice."""
        ...

    def words(self, state: State) -> str:
        """A state for people."""
        ...

    def calls(self, situation: Situation) -> Sequence[Call]:
        """Every call to make there: the same ones in all situations of one state. What changes nothing comes first."""
        ...

    def questions(self, situation: Situation) -> Sequence[Call]:
        """Of these, few calls whose answers tell the state from others, as far as there are such."""
        ...

    def wish(self, situation: Situation, call: Call) -> Wish:
        """A call as it is made there."""
        ...

    def after(self, situation: Situation, operation: str, arguments: Mapping[str, Any], answer: Answer) -> Situation:
        """What a lawful answer leaves."""
        ...


def left_by(
    family: Family, situation: Situation, operation: str, arguments: Mapping[str, Any], answer: Answer
) -> Situation:
    """What an answer leaves; one that is no answer at all, which `check` will say, leaves the situation as it is."""
    try:
        if isinstance(answer.result, str) and operation in NUMBERS:
            answer = Answer(number(answer.result))
        return family.after(situation, operation, arguments, answer)
    except (TypeError, ValueError, KeyError):
        return situation


def call(operation: str, process: int | None = None, **arguments: Any) -> Call:
    return Call(operation, tuple(arguments.items()), process)


def stretches(blocks: Iterable[tuple[int, int]]) -> str:
    """Blocks for people: each by its first place, and its last if that is another."""
    return ", ".join(str(first) if count == 1 else f"{first}-{first + count - 1}" for first, count in sorted(blocks))
