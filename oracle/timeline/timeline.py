"""The state before and after each step that leads to a divergence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeVar

from memoracle.diagnostics.divergence import Divergence
from memoracle.spec.geometry import Geometry
from memoracle.timeline.course import Course
from memoracle.timeline.focus import Event, Focus
from memoracle.timeline.views import View

Handed = TypeVar("Handed")


class Watch(Protocol):
    """Hands what is replayed on, and looks at what replays it in between."""

    def __call__(self, replay: Any, each: Iterable[Handed], /) -> Iterator[Handed]: ...


@dataclass(frozen=True)
class Step:
    """One event, and the state around it.

    passed_over: how many events before it are no steps.  names: what it names.  before, after: the state that concerns
    the event and the divergence.  whole: before and after, the part that concerns any step.  left_out: how much of what
    is named is not in the first.
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
    """What led to one divergence, which is the last step. kind: of what it is the course (`course.py`)."""

    steps: tuple[Step, ...]
    divergence: Divergence
    geometry: Geometry
    kind: str


def timelines(course: Course, replay: Callable[[Watch], None]) -> list[Timeline]:
    """Of each divergence, unless it is not come to once more: the recording has changed.

    replay: replays it once more, as it was checked, its events handed on by what it is given.
    """
    watcher = Watcher(course)
    replay(watcher.watch)
    watcher.end()
    found = (watcher.timeline(place) for place in range(len(course.wanted)))
    return [each for each in found if each is not None and each.steps[-1].line == each.divergence.line]


@dataclass
class Watcher:
    """Looks at a replay before and after the steps of some timelines.

    seen: by the place of a timeline and a line, the states before and after; each as far as it is near, and whole.
    """

    course: Course
    seen: dict[tuple[int, int], list[tuple[View, View]]] = field(default_factory=dict)
    look: Callable[[], None] = lambda: None

    def watch(self, replay: Any, each: Iterable[Handed]) -> Iterator[Handed]:
        """The same, up to the last step."""
        course = self.course
        course.begin(replay)
        of_line = dict[int, list[int]]()
        for place, lines_of in enumerate(course.wanted):
            for line in lines_of:
                of_line.setdefault(line, []).append(place)

        def look(line: int) -> None:
            for place in of_line[line]:
                states = course.near(place, line, replay), course.whole(place, replay)
                self.seen.setdefault((place, line), []).append(states)

        left = len(of_line)
        for line, handed in zip(course.numbers, each, strict=False):
            if line not in of_line:
                yield handed
                continue
            look(line)
            self.look = partial(look, line)
            yield handed
            self.end()
            left -= 1
            if not left:
                return

    def end(self) -> None:
        """Looks at what the last step has led to, if nobody has."""
        self.look()
        self.look = lambda: None

    def timeline(self, place: int) -> Timeline | None:
        course, steps, last = self.course, list[Step](), -1
        if course.geometry is None:
            return None
        for line in course.wanted[place]:
            if line in course.events and len(states := self.seen.get((place, line), [])) == 2:
                (before, whole_before), (after, whole_after) = states
                passed_over, last = course.places[line] - last - 1, course.places[line]
                wholes, left_out = (whole_before, whole_after), course.left_out(place, line)
                names = course.names(line)
                steps.append(Step(line, course.events[line], passed_over, names, before, after, wholes, left_out))
        return Timeline(tuple(steps), course.divergences[place], course.geometry, course.kind) if steps else None
