"""What a trace asked for, to ask it again: an address that an earlier call gave stands for what it gives then."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from memoracle.drive.calls import Wish
from memoracle.drive.extents import with_extent
from memoracle.drive.target import Answer, Target
from memoracle.replay.dispatch import Replay
from memoracle.trace.hexadecimal import in_numbers

GIVERS = {"frame.allocate", "range.allocate", "heap.new", "heap.resize", "process.create", "kernel_pages.allocate"}
GIVE_BACK = frozenset({"frame.free", "range.free", "heap.delete", "kernel_pages.free", "process.exit"})
NEAR = (0, 1, 1 << 12, 1 << 21, 1 << 30)  # bytes: an address inside a block
INSTANCE, LIFE, OTHERS = "_instance", "_life", "_others"  # of an event of one of several instances
RESET = "reset"
HEXADECIMAL = b'"0x'  # how a text begins that is a number
ADDRESSES = {"address", "virtual", "physical", "process"}
Whose: TypeAlias = tuple[str, Any]  # a family, and the process that an address is one of
PROCESSES: Whose = ("process", 0)
Given: TypeAlias = dict[tuple[Whose, int], int]  # by its result, the call that gave it last


class Request(NamedTuple):
    """One call. needs: by argument, the place of the call whose result it is, and what is added to that.

    instance: that is called, of several.  refused: whether it was, in the trace.  gave: the number that it gave there.
    """

    operation: str
    arguments: dict[str, Any]
    needs: dict[str, tuple[int, int]]
    instance: int = 0
    refused: bool = False
    gave: int | None = None


def requests_of(lines: Sequence[bytes]) -> list[Request]:
    """The calls of a trace's events."""
    found: list[Request] = []
    of_instance: dict[int, Given] = {}
    for place, event in enumerate(events_of(lines)):
        operation, instance = event.pop("op"), event.pop(INSTANCE, 0)
        event.pop(LIFE, None)
        given = of_instance.setdefault(instance, {})
        result = event.pop("result", None)
        refused = event.pop("error", None) is not None
        answered = not refused and "crash" not in event
        for key in ("crash", "frames"):
            event.pop(key, None)
        family = operation.partition(".")[0]
        needs = {}
        for key in ADDRESSES & event.keys():
            # Ranges of several processes have the same addresses.
            whose = PROCESSES if key == "process" else (family, event.get("process", 0))
            giver = _giver(given, whose, event[key])
            if giver is not None:
                needs[key] = giver
        gave = result if operation in GIVERS and answered and isinstance(result, int) else None
        found.append(Request(operation, event, needs, instance, refused, gave))
        if gave is not None:
            given[(family, event.get("process", 0)), gave] = place
        elif operation == RESET:
            given.clear()
    return found


def events_of(lines: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    """The events of a trace, each after those of other instances that it notes."""
    for line in lines:
        event = json.loads(line)
        if HEXADECIMAL in line:
            event = in_numbers(event)
        yield from event.pop(OTHERS, ())
        yield event


def _giver(given: Given, whose: Whose, value: Any) -> tuple[int, int] | None:
    """The call that gave a value, or one a little below it, and what is added to that."""
    if not isinstance(value, int):
        return None
    for added in (0,) if whose == PROCESSES else NEAR:
        if (whose, value - added) in given:
            return given[whose, value - added], added
    return None


class Repeated:
    """Requests made again, with what calls give this time."""

    def __init__(self, requests: Sequence[Request], target: Target, known: Collection[str] | None = None) -> None:
        """known: what can be asked, if that is more than the target's operations; the rest is left out."""
        self.operations = target.operations
        there = self.operations if known is None else known
        gone = {place for place, each in enumerate(requests) if each.operation not in there}
        self.requests = without(requests, gone) if gone else requests
        self.results: list[Any] = []
        self.replay: Replay | None = None

    def judged_by(self, replay: Replay) -> None:
        self.replay = replay

    def wishes(self) -> Iterator[Wish]:
        while (asked := len(self.results)) < len(self.requests):
            each = self.requests[asked]
            arguments = dict(each.arguments)
            for key, (place, added) in each.needs.items():
                if self.results[place] is not None:
                    arguments[key] = self.results[place] + added
            if self.replay is not None:  # a block may have another extent this time
                arguments = with_extent(self.replay, self.operations, each.operation, arguments)
            yield each.operation, arguments
            if len(self.results) == asked:  # this time it cannot be put to the target
                self.results.append(None)

    def learn(self, operation: str, arguments: Mapping[str, Any], answer: Answer) -> None:
        self.results.append(answer.result)


def without(requests: Sequence[Request], dropped: set[int]) -> list[Request]:
    """The requests without some of them, and without those that need one of these."""
    return in_order(requests, (place for place in range(len(requests)) if place not in dropped))


def in_order(requests: Sequence[Request], places: Iterable[int]) -> list[Request]:
    """Some of the requests, in this order, without those that need one which does not come before."""
    kept: list[Request] = []
    moved: dict[int, int] = {}
    for place in places:
        each = requests[place]
        if any(need not in moved for need, _ in each.needs.values()):
            continue
        moved[place] = len(kept)
        kept.append(each._replace(needs={key: (moved[need], added) for key, (need, added) in each.needs.items()}))
    return kept


def with_fixed_addresses(requests: Sequence[Request]) -> list[Request]:
    """The requests, of which those inside a block or beside it name the same address whatever that block's is."""
    return [each._replace(needs={key: need for key, need in each.needs.items() if need[1] == 0}) for each in requests]
