"""Which returns of the reference's functions a run comes to.

What is claimed after code is claimed only of the returns that some run reaches, so a proof must know that it reaches
each: an early return behind a condition that no run satisfies, or code after a loop that no run leaves, is not proved.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING

from memoracle import impl

if TYPE_CHECKING:
    from _typeshed import TraceFunction

FOLDER = str(Path(str(impl.__file__)).parent)
RETURNS = frozenset(dis.opmap[name] for name in ("RETURN_VALUE", "RETURN_CONST") if name in dis.opmap)


@dataclass(frozen=True)
class Exit:
    """A return instruction of a function's code, by its offset."""

    code: CodeType
    offset: int

    def __str__(self) -> str:
        return f"{self.code.co_qualname}, line {line_of(self)}"


@dataclass
class Exits:
    """watched: the functions each return of which must be reached.  reached: the returns that this run came to.

    elsewhere: of helpers, by their qualified names, whose returns another proof must reach: this one needs not all.
    """

    watched: set[CodeType] = field(default_factory=set)
    elsewhere: set[str] = field(default_factory=set)
    reached: set[Exit] = field(default_factory=set)
    depth: int = 0  # how many functions of the reference are running

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Notes the returns of what runs within; the outermost functions of the reference are watched."""
        before = sys.gettrace()
        sys.settrace(self._called)
        try:
            yield
        finally:
            sys.settrace(before)

    @contextmanager
    def unnoted(self) -> Iterator[None]:
        """Interrupts that."""
        before = sys.gettrace()
        sys.settrace(None)
        try:
            yield
        finally:
            sys.settrace(before)

    def _called(self, frame: FrameType, event: str, argument: object) -> TraceFunction | None:
        if not _of_reference[frame.f_code.co_filename]:
            return None
        if not self.depth:
            self.watched.add(frame.f_code)
        self.depth += 1
        frame.f_trace_lines = False
        return self._returns

    def _returns(self, frame: FrameType, event: str, argument: object) -> TraceFunction:
        if event == "return":
            self.depth -= 1
            if frame.f_code.co_code[frame.f_lasti] in RETURNS:  # else an exception leaves it
                self.reached.add(Exit(frame.f_code, frame.f_lasti))
        return self._returns


class _Files(dict[str, bool]):
    """Whether a file of code is one of `impl/`: each call of any function asks it."""

    def __missing__(self, name: str) -> bool:
        found = self[name] = str(Path(name).parent) == FOLDER
        return found


_of_reference = _Files()


def is_reference(code: CodeType) -> bool:
    """Whether it is code of a function of `impl/` that is written there, as the methods of records are not."""
    return _of_reference[code.co_filename]


@cache
def exits_of(code: CodeType) -> frozenset[Exit]:
    """All returns of a function."""
    return frozenset(Exit(code, step.offset) for step in dis.get_instructions(code) if step.opcode in RETURNS)


def line_of(place: Exit) -> int:
    """The line of a return."""
    lines = (line for start, end, line in place.code.co_lines() if start <= place.offset < end and line is not None)
    return next(lines, place.code.co_firstlineno)
