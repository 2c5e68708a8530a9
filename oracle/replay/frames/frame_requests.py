"""What an operation asks for, or gives back, where runs of frames are handed out: how many frames, and where."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from msgspec import UNSET, UnsetType

from memoracle.console.counted import counted
from memoracle.impl.zones import Zone
from memoracle.replay.frames.frame_limits import Limits, limits_of, refuse_unknown_arguments
from memoracle.spec import given_runs
from memoracle.spec import runs as law
from memoracle.spec.bitmap import alignment_is_a_power_of_two
from memoracle.spec.clauses import Clause
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import BUDDY, SINGLE
from memoracle.trace import events
from memoracle.trace.decoding import MalformedLine
from memoracle.trace.numbers import Number, number
from memoracle.trace.quoting import quoted, shortened

HUGE = 65  # an order of more frames than 64-bit addresses reach: no larger one is kept apart
MOST_KEPT = 1 << 10  # requests

Named: TypeAlias = int | str | UnsetType | tuple[Number]  # a count, an order in a tuple, or none of both


class Size(NamedTuple):
    """How many frames an event names.  order: as it names them, if it does so; a huge one is not counted in frames."""

    frames: int
    order: Number | None = None

    @property
    def is_counted(self) -> bool:
        """Whether there are so many frames: an order below 0 is none, and of a huge one only the order is known."""
        return self.order is None or 0 <= number(self.order) < HUGE

    @property
    def words(self) -> str:
        """As the event says it."""
        frames = counted(self.frames, "frame")
        if self.order is None:
            return frames
        order = f"order {shortened(str(self.order))}"
        return f"{order} ({frames})" if self.is_counted else order


class Request(NamedTuple):
    """wanted: how many frames.  alignment, lowest, below: of the run, in frames.  limits: the same in bytes, as named.

    refused: the clause by which the law refuses it, whatever is free.  zones: those that are named, in order of
    preference, if any are.  order: as it is named, if it is.
    """

    wanted: int
    alignment: int
    lowest: int
    below: int
    limits: Limits
    refused: Clause | None
    zones: tuple[Zone, ...] | None = None
    order: Number | None = None

    @property
    def size(self) -> Size:
        return Size(self.wanted, self.order)

    @property
    def searches(self) -> tuple[tuple[int, int, int, int], ...]:
        """Of what is looked for, in order of preference: how many frames, their alignment, and within which."""
        if self.zones is None:
            return ((self.wanted, self.alignment, self.lowest, self.below),)
        return tuple(
            (self.wanted, self.alignment, max(self.lowest, zone.start), min(self.below, zone.end))
            for zone in self.zones
        )


class Requests:
    """What the operations of one trace ask for.

    most: how many frames one may have.  known: allocations, by all that they name.  backs: by what a free names, how
    many frames it says that it gives back.
    """

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        self.is_single = geometry.frame_allocator == SINGLE
        self.of_blocks = geometry.frame_allocator == BUDDY
        self.rounds_frees = self.of_blocks and geometry.frees_whole_runs
        order = geometry.frame_max_order
        self.most = geometry.frames if order is None else 1 << order
        self.known: dict[tuple[object, ...], Request] = {}
        self.backs: dict[Named, int] = {}

    def asked(self, event: events.FrameAllocate) -> Request:
        """Of an allocation. Raises BadNumber and MalformedLine."""
        zone = tuple(event.zone) if isinstance(event.zone, list) else event.zone
        key = event.count, event.order, event.alignment, event.from_, event.below, zone
        known = self.known.get(key)
        if known is None:
            known = self.first_asked(event)
            if len(self.known) < MOST_KEPT:
                self.known[key] = known
        return known

    def first_asked(self, event: events.FrameAllocate) -> Request:
        if self.is_single:
            refuse_unknown_arguments(event, self.geometry)
        zones = None if event.zone is UNSET else tuple(zone_named(name, self.geometry) for name in names(event.zone))
        wanted, limits = self.wanted(event), limits_of(event, self.geometry)
        alignment, lowest, below = limits.frames
        if self.of_blocks and wanted > 0 < alignment:
            alignment = max(alignment, wanted)
        refused = self.refused(wanted, limits.alignment)
        order = None if event.order is UNSET else event.order
        return Request(wanted, alignment, lowest, min(below, self.geometry.frames), limits, refused, zones, order)

    def zone_of(self, first: int, asked: Request) -> Zone:
        """Of the zones that are named one that a frame lies in; else any such zone, or one that is named, or none."""
        others = (Zone(*frames) for frames in self.geometry.frames_of_zones.values())
        zones = asked.zones or ()
        otherwise = next(iter(zones), Zone(0, 0))
        return next((zone for zone in (*zones, *others) if zone.start <= first < zone.end), otherwise)

    def refused(self, wanted: int, alignment: int) -> Clause | None:
        """The clause by which the law refuses a request as it is made; the alignment is in bytes."""
        if not law.run_has_a_place(None, wanted):
            return law.run_has_a_place
        if self.of_blocks and not given_runs.block_is_not_too_large(None, self.most, wanted):
            return given_runs.block_is_not_too_large
        return None if alignment_is_a_power_of_two(None, alignment) else alignment_is_a_power_of_two

    def wanted(self, event: events.FrameAllocate) -> int:
        """How many frames an allocation takes."""
        count = said(event)
        return rounded(count) if self.of_blocks else count

    def given_back(self, event: events.FrameFree) -> int:
        """How many frames a free says that it gives back."""
        named = event.count if event.order is UNSET else (event.order,)
        known = self.backs.get(named)
        if known is None or event.order is not UNSET is not event.count:
            return self.first_given_back(event, named)
        return known

    def first_given_back(self, event: events.FrameFree, named: Named) -> int:
        if self.is_single:
            refuse_unknown_arguments(event, self.geometry)
        count = said(event)
        if len(self.backs) < MOST_KEPT:
            self.backs[named] = count
        return count


def names(zone: str | list[str]) -> list[str]:
    return [zone] if isinstance(zone, str) else zone


def zone_named(name: str, geometry: Geometry) -> Zone:
    """Raises MalformedLine for a zone that the geometry has not."""
    if not geometry.zones:
        raise MalformedLine("zone: no such argument in this geometry: it has no zones")
    if name not in geometry.frames_of_zones:
        known = ", ".join(map(quoted, geometry.frames_of_zones))
        raise MalformedLine(f"zone: {quoted(name)} is none of this geometry's zones: {known}")
    return Zone(*geometry.frames_of_zones[name])


def size_of(event: events.FrameFree, frames: int) -> Size:
    """What a free names, where it comes to so many frames."""
    return Size(frames, None if event.order is UNSET else event.order)


def said(event: events.FrameAllocate | events.FrameFree) -> int:
    """The number of frames that an event names: as many, or a power of two; one, if it names none."""
    if event.order is UNSET:
        return 1 if event.count is UNSET else number(event.count)
    if event.count is not UNSET:
        raise MalformedLine("order: given beside count; give one of them")
    order = number(event.order)
    return 1 << min(order, HUGE) if order >= 0 else 0


def rounded(count: int) -> int:
    """The next power of two; what is no number of frames stays as it is."""
    return 1 << (count - 1).bit_length() if count > 0 else count
