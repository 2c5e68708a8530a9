"""What led to the divergences of traces, read from where these were: a file that can be read once more, or memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from memoracle.console.output import identity
from memoracle.diagnostics.divergence import Divergence
from memoracle.diagnostics.levels import EXACT
from memoracle.logs.recognise import KMEM, recognise
from memoracle.timeline.course import Course, of_order, of_trace
from memoracle.timeline.log_course import of_log
from memoracle.timeline.neighbourhood import Neighbourhood, neighbourhood
from memoracle.timeline.timeline import Timeline, Watch, timelines
from memoracle.trace.inputs import STDIN, InputError, open_lines, spooled_lines
from memoracle.trace.spool import Spool


class Checked(Protocol):
    """A trace that was held to the law: the parts of its result that its past needs."""

    path: str
    level: str
    first_line: int
    divergences: Any
    processors: int
    order: Any
    is_log: bool


@dataclass
class AsTrace:
    """The same of lines that were not read from a file."""

    path: str
    level: str = EXACT
    first_line: int = 1
    divergences: Any = ()
    processors: int = 0
    order: Any = ()
    is_log: bool = False


# Holds the recording to the law once more whose lines these are, with what looks between them.
Again = Callable[[Checked, Iterator[bytes], Watch], None]
NOT_DRAWN = "What led to it is not drawn: "
ONCE = f"{NOT_DRAWN}the recording could be read only once."
NOT_KEPT = f"{NOT_DRAWN}the recording could be read only once, and what came before it was not kept"
CHANGED = f"{NOT_DRAWN}the recording has changed meanwhile."
NO_ORDER = f"{NOT_DRAWN}no order of the operations was found in which it has a place."
FIRST_ONES = "What led to it is drawn of the first ones only."


@dataclass(frozen=True)
class Past:
    """again: see there; None: nothing is known of it.

    lines: those of the trace, if they are kept; else its file has them, or a spool (by path).  max_line: the longest
    line that is read of one, in bytes.  known: by file and first line, what was found before.
    """

    again: Again | None
    lines: tuple[bytes, ...] | None = None
    spools: Mapping[str, Spool] = field(default_factory=dict)
    max_line: int = 1 << 20
    known: dict[tuple[str, int], tuple[list[Timeline], str]] = field(default_factory=dict)

    def texts(self, outcome: Checked) -> Iterator[bytes]:
        """The lines of a trace, from its header on. Raises InputError."""
        path = outcome.path
        if self.lines is not None:
            lines = iter(self.lines)
        elif path in self.spools:
            lines = spooled_lines(path, self.spools[path], self.max_line)
        else:
            lines = open_lines(path, self.max_line)
        if outcome.is_log:
            return recognise(path, lines, KMEM).lines
        return islice(lines, outcome.first_line - 1, None)

    def is_kept(self, outcome: Checked) -> bool:
        path = outcome.path
        return self.lines is not None or path in self.spools or (path != STDIN and identity(path) is not None)

    def timelines(self, outcome: Checked) -> tuple[list[Timeline], str]:
        """Of the first divergences of a trace; where there are none, why. They are made once for all reports."""
        key = outcome.path, outcome.first_line
        if self.again is not None and key not in self.known:
            self.known[key] = self._timelines(outcome, self.again)
        return self.known.get(key, ([], ""))

    def _timelines(self, outcome: Checked, again: Again) -> tuple[list[Timeline], str]:
        if not outcome.divergences:
            return [], ""
        if not self.is_kept(outcome):
            return [], ONCE
        if outcome.processors and not outcome.order:
            return [], NO_ORDER
        spool = self.spools.get(outcome.path)
        try:
            course = self.course(outcome)
            found = timelines(course, lambda watch: again(outcome, self.texts(outcome), watch))
        except (InputError, StopIteration):
            found = []
        if found:
            return found, "" if len(found) == len(outcome.divergences) else FIRST_ONES
        return found, CHANGED if spool is None or not spool.why_not else f"{NOT_KEPT}: {spool.why_not}."

    def course(self, outcome: Checked) -> Course:
        """What led to the divergences of a recording; raises InputError."""
        divergences, first = outcome.divergences, outcome.first_line + 1
        if outcome.is_log:
            return of_log(divergences, outcome.path, self.texts(outcome))

        def texts() -> Iterator[bytes]:
            return islice(self.texts(outcome), 1, None)

        if outcome.order:
            return of_order(divergences, outcome.order, first, texts)
        return of_trace(divergences, first, texts)

    def of_lines(self, lines: Sequence[bytes], divergence: Divergence) -> Timeline | None:
        """The lines of a trace that diverges in the last of them, whatever the replay finds there."""
        if self.again is None:
            return None
        once, outcome = self.again, AsTrace(divergence.file, divergences=[divergence])
        course = of_trace([divergence], 2, lambda: iter(lines[1:]))
        found = timelines(course, lambda watch: once(outcome, iter(lines), watch))
        return found[0] if found else None

    def neighbourhood(self, outcome: Checked, divergence: Divergence) -> Neighbourhood:
        """What was under way near a window; without a file to read just what is in it."""
        known = self.again is not None and self.is_kept(outcome)
        texts = islice(self.texts(outcome), 1, None) if known else iter(())
        try:
            return neighbourhood(divergence.window, outcome.first_line + 1, texts)
        except InputError:
            return neighbourhood(divergence.window, outcome.first_line + 1, ())


UNKNOWN_PAST = Past(None)
