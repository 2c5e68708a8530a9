"""Which events are the steps that lead to the divergences of a recording, and what of a state concerns each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Any, TypeAlias

from msgspec import DecodeError

from memoracle.diagnostics.divergence import Divergence, Finding
from memoracle.replay.dispatch import Replay
from memoracle.spec.geometry import Geometry
from memoracle.timeline.focus import Event, Focus
from memoracle.timeline.views import View, view
from memoracle.trace.decoding import ANYTHING
from memoracle.trace.quoting import abridged

MOST_STEPS = 24  # that come last
MOST_EARLIER = 8  # lines that a finding names, and that come before these
MOST_TIMELINES = 8  # of one trace
LINE = re.compile(r"\bline (\d+)")

Texts: TypeAlias = Callable[[], Iterator[bytes]]
OF_TRACE, OF_ORDER, OF_LOG = "trace", "order", "log"


@dataclass
class Course:
    """What led to each of some divergences.

    kind: of what it is the course.  wanted: of each divergence the lines of its steps, which is the last.  events: by
    line.  places: by line, how many events come before.  numbers: the lines of what a replay is handed, in that order.
    """

    kind: str
    divergences: Sequence[Divergence]
    wanted: Sequence[Sequence[int]]
    events: dict[int, Event]
    places: dict[int, int]
    numbers: Iterable[int]
    geometry: Geometry | None = None
    foci: list[Focus] = field(default_factory=list)

    def begin(self, replay: Any) -> None:
        """Is told what replays it, before the first event."""
        assert isinstance(replay, Replay), "it is of calls"
        self.geometry = replay.rules.geometry
        self.foci = [self.focus_of_all(place) for place in range(len(self.wanted))]

    def near(self, place: int, line: int, replay: Any) -> View:
        """The state as far as it concerns one step of a timeline, and the divergence."""
        return view(replay, self.focus_of_step(place, line))

    def whole(self, place: int, replay: Any) -> View:
        """The state as far as it concerns any step of a timeline."""
        return view(replay, self.foci[place])

    def names(self, line: int) -> Focus:
        """What one step names."""
        return self.with_steps(self.nothing(), [line])

    def left_out(self, place: int, line: int) -> int:
        """How much of what concerns a step is not drawn."""
        return self.focus_of_step(place, line).left_out

    def nothing(self) -> Focus:
        assert self.geometry is not None, "it has begun"
        return Focus(self.geometry)

    def focus_of_all(self, place: int) -> Focus:
        """What the steps of a timeline name, the last of them foremost, and what the finding is about."""
        return self.with_steps(self.focus_of_last(place), reversed(self.wanted[place]))

    def focus_of_step(self, place: int, line: int) -> Focus:
        """What the step that diverges and this one name, and the earlier ones that the finding speaks of; any other
        step, where the one that diverges names nothing."""
        focus, lines = self.focus_of_last(place), self.wanted[place]
        others = lines[:-MOST_STEPS] if focus else lines
        return self.with_steps(focus, [line, *reversed(others)])

    def focus_of_last(self, place: int) -> Focus:
        divergence = self.divergences[place]
        focus = self.with_steps(self.nothing(), [divergence.line])
        focus.add_state(divergence.finding.before)
        return focus

    def with_steps(self, focus: Focus, lines: Iterable[int]) -> Focus:
        for line in lines:
            if line in self.events:
                focus.add(self.events[line])
        return focus


def of_trace(divergences: Sequence[Divergence], first_event: int, texts: Texts) -> Course:
    """first_event: the line that has it.  texts: the lines of its events."""
    shown = divergences[:MOST_TIMELINES]
    wanted = [
        steps_to(range(first_event, each.line + 1), {line: line - first_event for line in named_in(each.finding)})
        for each in shown
    ]
    events = events_at({line for lines in wanted for line in lines}, first_event, texts())
    return Course(OF_TRACE, shown, wanted, events, {line: line - first_event for line in events}, count(first_event))


def of_order(divergences: Sequence[Divergence], order: Sequence[int], first_event: int, texts: Texts) -> Course:
    """Of operations that overlap. order: their lines, as it was found to be legal as far as it goes."""
    places = {line: place for place, line in enumerate(order)}
    shown = [each for each in divergences[:MOST_TIMELINES] if each.line in places]
    wanted = [
        steps_to(
            order[: places[each.line] + 1],
            {line: places[line] for line in named_in(each.finding) if line in places},
        )
        for each in shown
    ]
    events = events_at({line for lines in wanted for line in lines}, first_event, texts())
    return Course(OF_ORDER, shown, wanted, events, {line: places[line] for line in events}, order)


def steps_to(lines: Sequence[int], named: dict[int, int]) -> list[int]:
    """The lines that are steps: the last of these, and earlier ones that are named, by their place among these."""
    last = lines[-MOST_STEPS:]
    earlier = sorted((place, line) for line, place in named.items() if 0 <= place < len(lines) - len(last))
    return [*(line for _, line in earlier[-MOST_EARLIER:]), *last]


def named_in(finding: Finding) -> Iterator[int]:
    """The lines of a trace that a finding speaks of."""
    yield from (int(line) for line in LINE.findall(finding.message))
    waiting: list[object] = [finding.before, finding.after]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            waiting += found.values()
            if isinstance(line := found.get("line"), int):
                yield line
        elif isinstance(found, list | tuple):
            waiting += found


def events_at(wanted: set[int], first_event: int, texts: Iterator[bytes]) -> dict[int, Event]:
    """The events of these lines, as far as they can be read."""
    found = dict[int, Event]()
    for line, text in enumerate(islice(texts, max(wanted, default=first_event) - first_event + 1), first_event):
        if line in wanted:
            try:
                event = abridged(ANYTHING.decode(text))
            except (DecodeError, RecursionError):
                continue
            if isinstance(event, dict):
                found[line] = event
    return found
