"""What led to the divergences of traces, read from where these were: a file that can be read once more, or memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from memoracle.console.output import identity
from memoracle.diagnostics.divergence import Divergence
from memoracle.diagnostics.levels import EXACT
from memoracle.timeline.neighbourhood import Neighbourhood, neighbourhood
from memoracle.timeline.timeline import Timeline, Watch, timelines
from memoracle.trace.inputs import InputError, open_lines


class Checked(Protocol):
    """A trace that was held to the law: the parts of its result that its past needs."""

    path: str
    level: str
    first_line: int
    divergences: Any
    processors: int
    coverage: Any


@dataclass
class AsTrace:
    """The same of lines that were not read from a file."""

    path: str
    level: str = EXACT
    first_line: int = 1
    divergences: Any = ()
    processors: int = 0
    coverage: Any = None


# Holds the trace to the law once more whose lines these are, with what looks between them.
Again = Callable[[Checked, Iterator[bytes], Watch], None]
ONCE = "What led to it is not drawn: the trace could be read only once."
CHANGED = "What led to it is not drawn: the trace has changed meanwhile."
NO_TRACE = "What led to it is not drawn: a log has no calls."


@dataclass(frozen=True)
class Past:
    """again: see there; None: nothing is known of it.

    lines: those of the trace, if they are kept; else its file has them.  max_line: the longest line that is read of
    one, in bytes.  known: by file and first line, what was found before.
    """

    again: Again | None
    lines: tuple[bytes, ...] | None = None
    max_line: int = 1 << 20
    known: dict[tuple[str, int], tuple[list[Timeline], str]] = field(default_factory=dict)

    def texts(self, outcome: Checked) -> Iterator[bytes]:
        """The lines of a trace, from its header on. Raises InputError."""
        lines = open_lines(outcome.path, self.max_line) if self.lines is None else iter(self.lines)
        return islice(lines, outcome.first_line - 1, None)

    def is_kept(self, outcome: Checked) -> bool:
        return self.lines is not None or identity(outcome.path) is not None

    def timelines(self, outcome: Checked) -> tuple[list[Timeline], str]:
        """Of the first divergences of a trace; where there are none, why. They are made once for all reports."""
        key = outcome.path, outcome.first_line
        if self.again is not None and key not in self.known:
            self.known[key] = self._timelines(outcome, self.again)
        return self.known.get(key, ([], ""))

    def _timelines(self, outcome: Checked, again: Again) -> tuple[list[Timeline], str]:
        if outcome.processors or not outcome.divergences:
            return [], ""
        if outcome.coverage is None:
            return [], NO_TRACE
        if not self.is_kept(outcome):
            return [], ONCE
        try:
            found = timelines(
                outcome.divergences,
                outcome.first_line + 1,
                lambda: islice(self.texts(outcome), 1, None),
                lambda watch: again(outcome, self.texts(outcome), watch),
            )
        except (InputError, StopIteration):
            return [], CHANGED
        return found, "" if len(found) == len(
            outcome.divergences
        ) else "What led to it is drawn of the first ones only."

    def of_lines(self, lines: Sequence[bytes], divergence: Divergence) -> Timeline | None:
        """The lines of a trace that diverges in the last of them, whatever the replay finds there."""
        if self.again is None:
            return None
        once, outcome = self.again, AsTrace(divergence.file, divergences=[divergence])
        found = timelines([divergence], 2, lambda: iter(lines[1:]), lambda watch: once(outcome, iter(lines), watch))
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
