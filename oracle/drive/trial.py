"""One run of a target: what is asked of it, and what came of that, held to the law as `check` does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from memoracle.drive.binding import Binding
from memoracle.drive.calls import Wish
from memoracle.drive.target import Answer, Target
from memoracle.replay.dispatch import Replay
from memoracle.report.check_report import TraceResult

Begun: TypeAlias = Callable[[Replay], None]  # is handed what a trace is replayed with


def unwatched(replay: Replay) -> None:
    """Nobody asks how far a replay is."""


class Check(Protocol):
    """What `check` says of a trace. begun: is called before the first event."""

    def __call__(self, lines: Iterator[bytes], begun: Begun = unwatched) -> TraceResult: ...


class Source(Protocol):
    """What is asked of a target."""

    def judged_by(self, replay: Replay) -> None:
        """What holds the answers to the law, before anything is asked."""
        ...

    def wishes(self) -> Iterator[Wish]:
        """The calls, one after another."""
        ...

    def learn(self, operation: str, arguments: Mapping[str, Any], answer: Answer) -> None:
        """What came of the last one."""
        ...


MakeSource: TypeAlias = Callable[[Target], Source]


@dataclass(frozen=True)
class Plan:
    """How a target is run. name: of the target, for messages.  start: makes and starts it.

    head: the trace's header, and events that are no calls.  check: what `check` says of a trace.  patience: how long a
    call may take, in seconds.  forks: whether a target that was started can be forked, with all its state.
    called: the binding, the command or the name by which it is called.
    make_ready: what is done before a process is forked for each run, so that no run does it.
    in_turns: whether there are several instances, or resets, each with a trace of its own.
    """

    name: str
    start: Callable[[], Target]
    head: tuple[dict[str, object], ...]
    check: Check
    patience: float = 5.0
    forks: bool = False
    called: Binding | Sequence[str] | str | None = None
    make_ready: Callable[[], None] = lambda: None
    in_turns: bool = False


@dataclass
class Trial:
    """What came of one run.

    result: what `check` says of the trace.  lines: the trace.  calls: that were answered.  seconds: that it took.
    others: the traces of other runs whose calls count as well.
    """

    result: TraceResult
    lines: list[bytes]
    calls: int
    seconds: float
    others: list[list[bytes]] = field(default_factory=list)

    @property
    def clause(self) -> str:
        """That the first divergence breaks; nothing if there is none."""
        return self.result.divergences[0].finding.clause if self.result.divergences else ""

    @property
    def is_over(self) -> bool:
        """Whether no more is to be tried: something diverged, or could not be read to its end."""
        return bool(self.result.divergences or self.result.fault)

    def add(self, other: Trial) -> None:
        """Counts what another run exercised, too."""
        self.result.events += other.result.events
        self.result.checked += other.result.checked
        self.others += [other.lines, *other.others]
        if self.result.coverage is not None and other.result.coverage is not None:
            self.result.coverage.add(other.result.coverage)
