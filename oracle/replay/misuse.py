"""What becomes of a call that the law refuses as it was made: a geometry says for each operation what its policy is.

Where it is undefined, what comes of the call is not judged, and neither is what it could have changed: from there on
these parts of the state are followed, as far as they can be, and hold nothing against anybody.
"""

from __future__ import annotations

from msgspec import Struct

from memoracle.diagnostics.divergence import Finding
from memoracle.diagnostics.levels import Handler, Rules, Violated
from memoracle.replay.coverage import Coverage
from memoracle.spec.clauses import Clause
from memoracle.spec.geometry_keys import REFUSE, UNDEFINED
from memoracle.spec.paging import HALF
from memoracle.trace import events
from memoracle.trace.events import AnyEvent, operation_of, operation_of_kind
from memoracle.trace.numbers import number

Part = tuple[str, int | None]  # what an operation's name begins with; of which process, or of all
KERNELS: tuple[Part, ...] = (("frame", 0), ("kernel_pages", 0))  # what takes frames, or gives them back


class Misuse:
    """The policies of one trace. unknown: the parts whose state is unknown.  warnings: the line, and what was said."""

    def __init__(self, rules: Rules, warnings: list[tuple[int, str]], coverage: Coverage) -> None:
        self.rules = rules
        self.policies = dict(rules.geometry.misuse)
        self.warnings = warnings
        self.coverage = coverage
        self.unknown: set[Part] = set()

    def policy(self, event: AnyEvent) -> str:
        return self.policies.get(operation_of(event), REFUSE)

    def may_succeed(self, kind: type[Struct]) -> bool:
        """Whether a misuse of this kind may be anything but refused."""
        return self.policies.get(operation_of_kind(kind), REFUSE) != REFUSE

    def with_policy(self, handler: Handler, violated: Violated) -> Handler:
        """What replays an operation whose misuse may succeed: then it changes nothing, or what it may, unjudged."""

        def replay(event: AnyEvent, line: int) -> Finding | None:
            clause = violated(event, line)
            if clause is None:
                return handler(event, line)
            self.coverage.broken[type(event), clause.name] += 1
            if self.policy(event) == UNDEFINED:
                self.forget(event, line, clause)
            return None

        return replay

    def forget(self, event: AnyEvent, line: int, clause: Clause) -> None:
        """Whatever this call could have changed is unknown from now on."""
        new = set(changed_by(event)) - self.unknown
        if new:
            parts = ", ".join(sorted({part for part, _ in new}))
            words = f"undefined by this geometry [{clause.name}]: not judged from here on: {parts}"
            self.warnings.append((line, f"{operation_of(event)}: {words}"))
        self.unknown |= new
        if not {("frame", 0), ("range", 0), ("range", None)}.isdisjoint(self.unknown):
            self.rules.resources_unknown = True

    def is_judged(self, event: AnyEvent) -> bool:
        """Whether the state that an event is about is known."""
        part, process = part_of(event)
        return (part, process) not in self.unknown and (part, None) not in self.unknown


def part_of(event: AnyEvent) -> Part:
    """What an event is about."""
    virtual = number(getattr(event, "virtual", 0))
    process = 0 if virtual >= HALF else number(getattr(event, "process", 0))
    if isinstance(event, events.MemoryAdd):
        return "frame", 0
    return operation_of(event).partition(".")[0], process


def changed_by(event: AnyEvent) -> tuple[Part, ...]:
    """Whatever a call that the law refuses could have changed."""
    part, process = part_of(event)
    if isinstance(event, events.QUERIES):
        return ()
    if isinstance(event, events.ProcessExit):
        everything = ("process", "range", "page", "pml4")
        return (*((each, None) for each in everything), *KERNELS, ("heap", 0))
    if isinstance(event, events.Pml4Write):
        return (("pml4", None), ("page", None))
    if isinstance(event, events.PageMap | events.PageUnmap):
        frames = KERNELS if getattr(event, "release", False) else KERNELS[1:] if process == 0 else ()
        return ((part, process), ("pml4", process if process else None), *frames)
    if part == "kernel_pages":
        return (*KERNELS, ("range", 0), ("page", 0), ("pml4", None))
    if part == "range":
        return ((part, process), *(KERNELS[1:] if process == 0 else ()))
    return ((part, process), *KERNELS)
