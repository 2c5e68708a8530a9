"""What a library's functions are taken for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from memoracle.proposals.c_functions import Function

CHOOSE = "choose: "
NEVER = "1 / 2"  # what leaves a rest is no call


class Run(NamedTuple):
    """How an operation on frames in a row says where they begin and end, and how many bytes and frames they are."""

    place: str
    end: str
    length: str
    frames: str


RESERVED = Run("address", "address + count * page_size", "count * page_size", "count")
PLUGGED = Run("start", "start + length", "length", "length / page_size")


@dataclass
class Guess:
    """What one operation is. arguments: of the call.  holder: `value` or `out`, where its result is.

    is_number: whether that is the number of a frame or page; None: not known.
    fails, result: expressions.  why: what to say of it.  extra: other keys.
    block_of: the function that makes of an address what is given back.  of_one: the call where the count is 1.
    only_if: a condition without which it is not called.
    """

    operation: str
    function: Function
    arguments: list[str]
    holder: str = "value"
    is_number: bool | None = None
    fails: str | None = None
    result: str | None = None
    why: list[str] = field(default_factory=list)
    extra: dict[str, str] = field(default_factory=dict)
    block_of: str | None = None
    of_one: str | None = None
    only_if: str | None = None

    @property
    def call(self) -> str:
        arguments = (
            f"{self.block_of}({each})" if self.block_of is not None and "address" in each.split() else each
            for each in self.arguments
        )
        call = f"{self.function.name}({', '.join(arguments)})"
        if self.only_if is not None:
            return f"{call} if {self.only_if} else {NEVER}"
        return call if self.of_one is None else f"{self.of_one} if count == 1 else {call}"


@dataclass
class Handle:
    """An allocator that functions are given."""

    name: str


@dataclass
class Mapping:
    """What was found. handles: by the name of their type.  others: functions that are no operations.  all: any.

    needs_kernel_space: whether the kernel's addresses are those of a handle.
    """

    guesses: dict[str, Guess] = field(default_factory=dict)
    handles: dict[str, Handle] = field(default_factory=dict)
    starts: list[Function] = field(default_factory=list)
    others: list[Function] = field(default_factory=list)
    all: Sequence[Function] = ()
    needs_kernel_space: bool = False
