"""The last steps of a trace before it diverges, and those that it conflicts with; the state before and after each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TypeAlias

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

Watch: TypeAlias = Callable[[Replay, Iterator[bytes]], Iterator[bytes]]  # hands lines on, and looks between them
Texts: TypeAlias = Callable[[], Iterator[bytes]]


@dataclass(frozen=True)
class Step:
    """One event. line: counted from 1.  passed_over: how many events before it, since the last step, are no steps.

    names: what the event names, as a focus has it.  before, after: the part of the state that concerns the event and
    the divergence.  whole: before and after, the part that concerns any step.  left_out: how much of what is named is
    not in the first.
    """

    line: int
    event: Event
    passed_over: int
    names: Focus
    before: View
    after: View
    whole: tuple[View, View]
    left_out: int


@dataclass(frozen=True)
class Timeline:
    """What led to one divergence, which is the last step."""

    steps: tuple[Step, ...]
    divergence: Divergence
    geometry: Geometry


def timelines(
    divergences: Sequence[Divergence], first_event: int, texts: Texts, replay: Callable[[Watch], None]
) -> list[Timeline]:
    """Of each of the first divergences of a trace, unless it does not come to them once more: the file has changed.

    first_event: the line that has it.  texts: the lines of its events.  replay: replays it once more, as it was
    checked, its events handed on by what it is given.
    """
    shown = divergences[:MOST_TIMELINES]
    wanted = [lines_of(each, first_event) for each in shown]
    events = events_at({line for lines in wanted for line in lines}, first_event, texts())
    watcher = Watcher(shown, wanted, events, first_event)
    replay(watcher.watch)
    watcher.end()
    if watcher.geometry is None:
        return []
    found = (watcher.timeline(place, watcher.geometry) for place in range(len(shown)))
    return [each for each in found if each.steps and each.steps[-1].line == each.divergence.line]


def lines_of(divergence: Divergence, first_event: int) -> list[int]:
    """The lines that are steps: the last ones, and what the finding names."""
    last = range(max(divergence.line - MOST_STEPS + 1, first_event), divergence.line + 1)
    named = sorted({line for line in named_in(divergence.finding) if first_event <= line < last[0]})
    return [*named[-MOST_EARLIER:], *last]


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


@dataclass
class Watcher:
    """Looks at a replay before and after the steps of some timelines."""

    divergences: Sequence[Divergence]
    wanted: Sequence[Sequence[int]]
    events: dict[int, Event]
    first_event: int
    seen: dict[tuple[int, int], list[tuple[View, View]]] = field(default_factory=dict)
    geometry: Geometry | None = None
    look: Callable[[], None] = lambda: None

    def watch(self, replay: Replay, lines: Iterable[bytes]) -> Iterator[bytes]:
        """The same lines, up to the last step."""
        geometry = self.geometry = replay.rules.geometry
        foci = [self.focus_of_all(place, geometry) for place in range(len(self.wanted))]
        of_line = dict[int, list[int]]()
        for place, lines_of in enumerate(self.wanted):
            for line in lines_of:
                of_line.setdefault(line, []).append(place)

        def look(line: int) -> None:
            for place in of_line[line]:
                near = self.focus_of_step(place, line, geometry)
                self.seen.setdefault((place, line), []).append((view(replay, near), view(replay, foci[place])))

        last = max(of_line)
        for line, text in enumerate(lines, self.first_event):
            if line not in of_line:
                yield text
                continue
            look(line)
            self.look = partial(look, line)
            yield text
            self.end()
            if line == last:
                return

    def end(self) -> None:
        """Looks at what the last step has led to, if nobody has."""
        self.look()
        self.look = lambda: None

    def focus_of_all(self, place: int, geometry: Geometry) -> Focus:
        """What the steps of a timeline name, the last of them foremost, and what the finding is about."""
        return self.with_steps(self.focus_of_last(place, geometry), reversed(self.wanted[place]))

    def focus_of_step(self, place: int, line: int, geometry: Geometry) -> Focus:
        """What the step that diverges and this one name, and the earlier ones that the finding speaks of; any other
        step, where the one that diverges names nothing."""
        focus, lines = self.focus_of_last(place, geometry), self.wanted[place]
        others = lines[:-MOST_STEPS] if focus else lines
        return self.with_steps(focus, [line, *reversed(others)])

    def focus_of_last(self, place: int, geometry: Geometry) -> Focus:
        divergence = self.divergences[place]
        focus = self.with_steps(Focus(geometry), [divergence.line])
        focus.add_state(divergence.finding.before)
        return focus

    def with_steps(self, focus: Focus, lines: Iterable[int]) -> Focus:
        for line in lines:
            if line in self.events:
                focus.add(self.events[line])
        return focus

    def timeline(self, place: int, geometry: Geometry) -> Timeline:
        steps, last = list[Step](), self.first_event - 1
        for line in self.wanted[place]:
            if line in self.events and len(states := self.seen.get((place, line), [])) == 2:
                event, ((before, whole_before), (after, whole_after)) = self.events[line], states
                names = self.with_steps(Focus(geometry), [line])
                left_out = self.focus_of_step(place, line, geometry).left_out
                wholes = whole_before, whole_after
                steps.append(Step(line, event, line - last - 1, names, before, after, wholes, left_out))
                last = line
        return Timeline(tuple(steps), self.divergences[place], geometry)
