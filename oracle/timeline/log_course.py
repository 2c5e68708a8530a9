"""What led to the divergences of a log of kmem events: the last events about the same pages, or objects near."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count, islice
from typing import Any

from memoracle.diagnostics.divergence import Divergence
from memoracle.impl.bitmap import BITS
from memoracle.replay.kmem.kmem import PAGE_SHIFT, KmemReplay
from memoracle.spec.geometry import preset
from memoracle.timeline.course import MOST_EARLIER, MOST_STEPS, MOST_TIMELINES, OF_LOG, Course, named_in
from memoracle.timeline.focus import MOST_WORDS, Event, Focus
from memoracle.timeline.log_views import Objects, view
from memoracle.timeline.views import View
from memoracle.trace.kmem import KmemEvent, KmemLog
from memoracle.trace.slab_events import SlabEvent

MACHINE = preset("x64-4k")
GEOMETRY = replace(MACHINE, frames=1 << MACHINE.physical_address_bits - PAGE_SHIFT)  # a log counts in such pages
MOST_OBJECTS = 512  # of one page


@dataclass
class Around:
    """What lies around one divergence: the words of its pages, or the objects on the page of its object.

    latest: the line, the place and the event of the last events about these.  named: the same of those that the finding
    speaks of.  objects: that the log has told of there.
    """

    divergence: Divergence
    focus: Focus
    speaks_of: set[int]
    latest: deque[tuple[int, int, Event]] = field(default_factory=lambda: deque(maxlen=MOST_STEPS))
    named: list[tuple[int, int, Event]] = field(default_factory=list)
    objects: Objects = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.words = self.focus.words[:MOST_WORDS]
        self.pages = {address >> PAGE_SHIFT for address in self.focus.blocks}

    def note(self, event: KmemEvent | SlabEvent, place: int) -> None:
        """Takes up an event, if it is about what lies here."""
        if event.line > self.divergence.line or not self.is_near(event):
            return
        if isinstance(event, SlabEvent) and (len(self.objects) < MOST_OBJECTS or event.address in self.objects):
            sizes = self.objects.setdefault(event.address, {})
            if event.allocates:
                sizes[event.line] = max(event.asked, event.given)
        told = event.line, place, event.told
        if len(self.latest) == MOST_STEPS and self.latest[0][0] in self.speaks_of:
            self.named.append(self.latest[0])
        self.latest.append(told)

    def is_near(self, event: KmemEvent | SlabEvent) -> bool:
        if isinstance(event, SlabEvent):
            return event.address in self.focus.blocks or event.address >> PAGE_SHIFT in self.pages
        first, last = event.pfn // BITS, event.pfn + (1 << event.order) - 1
        return not event.failed and any(first <= word <= last // BITS for word in self.words)

    @property
    def steps(self) -> list[tuple[int, int, Event]]:
        return [*self.named[-MOST_EARLIER:], *self.latest]


@dataclass
class LogCourse(Course):
    """The same is drawn at each step: what lies around the divergence."""

    around: Sequence[Around] = ()

    def begin(self, replay: Any) -> None:
        assert isinstance(replay, KmemReplay), "it is of a log"
        self.geometry = GEOMETRY

    def near(self, place: int, line: int, replay: Any) -> View:
        return self.whole(place, replay)

    def whole(self, place: int, replay: Any) -> View:
        around = self.around[place]
        return view(replay, around.words, around.focus.blocks, around.objects)

    def left_out(self, place: int, line: int) -> int:
        return max(len(self.around[place].focus.words) - MOST_WORDS, 0)


def of_log(divergences: Sequence[Divergence], path: str, lines: Iterator[bytes]) -> LogCourse:
    """lines: those of the log, from its first on. Raises InputError."""
    around = []
    for divergence in divergences[:MOST_TIMELINES]:
        focus = Focus(GEOMETRY)
        focus.add_state(divergence.finding.before)  # of a large block, what is wrong with it
        focus.add(divergence.event)
        around.append(Around(divergence, focus, set(named_in(divergence.finding))))
    last = max(each.divergence.line for each in around)
    for place, event in enumerate(KmemLog(path, islice(lines, last))):  # what follows may not be readable
        for each in around:
            each.note(event, place)
    steps = [each.steps for each in around]
    events = {line: event for some in steps for line, _, event in some}
    places = {line: place for some in steps for line, place, _ in some}
    wanted = [[line for line, _, _ in some] for some in steps]
    shown = [each.divergence for each in around]
    return LogCourse(OF_LOG, shown, wanted, events, places, count(1), around=around)
