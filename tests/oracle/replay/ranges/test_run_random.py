"""Random runs of ranges: whatever a plain model does conforms at every level; with one answer changed it does not.

The model keeps a set of free pages and tries every page in turn, so that it shares nothing with the reference.
"""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from run_events import CREATE, PAGE, PARTIAL, RUNS, START

from memoracle.diagnostics.divergence import Divergence
from memoracle.diagnostics.levels import EXACT, LEGAL, LEVELS, Rules
from memoracle.replay.dispatch import Replay
from memoracle.trace.geometry import geometry_from

Event = dict[str, Any]
PAGES = 60
KEPT = {12, 13, 40}
SIZES = {"process_range": {"start": START * PAGE, "pages": PAGES}}
RESERVED = {"process_reserved": [{"page": 12, "pages": 2}, {"page": 40, "pages": 1}]}
GEOMETRIES = {"whole": RUNS | SIZES | RESERVED, "partial": PARTIAL | SIZES | RESERVED}
SEEDS = range(40)
STEPS = 60


class Model:
    """Pages as a set. given: at each page at which a run was handed out, how many from there on are left of it."""

    def __init__(self, partial: bool, lowest: bool, chance: random.Random) -> None:
        self.partial = partial
        self.lowest = lowest
        self.chance = chance
        self.free = set(range(PAGES)) - KEPT
        self.given: dict[int, int] = {}

    def step(self) -> Event:
        kind, page, pages = self.chance.randrange(8), self.chance.randrange(-1, PAGES + 2), self.chance.randrange(13)
        match kind:
            case 0 | 1:
                return self.allocate(pages, self.limits())
            case 2:
                return self.reserve(page, pages)
            case 3 | 4 if self.given:
                page = self.chance.choice([*self.given])
                return self.give_back(page, self.given[page])
            case 5:
                return self.give_back(page, pages)
            case 6:
                return self.list_all()
            case _:
                return self.size(page)

    def limits(self) -> Event:
        limits: Event = {}
        if self.chance.random() < 0.3:
            limits["alignment"] = hex(PAGE << self.chance.randrange(8) >> 1)
        if self.chance.random() < 0.2:
            limits["from"] = hex(self.chance.randrange(70 * PAGE))
        if self.chance.random() < 0.2:
            limits["below"] = hex(self.chance.randrange(70 * PAGE))
        return limits

    def fits(self, page: int, pages: int, limits: Event) -> bool:
        first, last = (START + page) * PAGE, (START + page + pages) * PAGE
        alignment, lowest, below = (int(str(limits.get(key, "0x0")), 16) for key in ("alignment", "from", "below"))
        within = lowest <= first and ("below" not in limits or last <= below)
        is_aligned = "alignment" not in limits or first % alignment == 0
        return pages > 0 and within and is_aligned and {*range(page, page + pages)} <= self.free

    def allocate(self, pages: int, limits: Event) -> Event:
        event = {"op": "range.allocate", "process": 1, "pages": pages} | limits
        found = [page for page in range(PAGES) if self.fits(page, pages, limits)]
        if not found:
            return event | {"error": "no run fits"}
        page = found[0] if self.lowest else self.chance.choice(found)
        self.take(page, pages)
        return event | {"result": hex((START + page) * PAGE)}

    def take(self, page: int, pages: int) -> None:
        self.free -= {*range(page, page + pages)}
        self.given[page] = pages

    def reserve(self, page: int, pages: int) -> Event:
        event = {"op": "range.reserve", "process": 1, "address": hex((START + page) * PAGE), "pages": pages}
        if not self.fits(page, pages, {}):
            return event | {"error": "not free"}
        self.take(page, pages)
        return event

    def give_back(self, page: int, pages: int) -> Event:
        event = {"op": "range.free", "process": 1, "address": hex((START + page) * PAGE), "pages": pages}
        run = {*range(page, page + pages)}
        in_use = pages > 0 and run <= {*range(PAGES)} - KEPT - self.free
        if not in_use or not (self.partial or self.given.get(page) == pages):
            return event | {"error": "not in use"}
        self.free |= run
        for first, count in [*self.given.items()]:
            if not run.isdisjoint(range(first, first + count)):
                del self.given[first]
                self.given |= {first: page - first} if first < page else {}
        return event

    def list_all(self) -> Event:
        """Each page by itself, or with some of those that follow in the same state."""
        stretches: list[tuple[str, int, bool]] = []
        page = 0
        while page < PAGES:
            end = page + 1
            while end < PAGES and (end in self.free) == (page in self.free) and self.chance.random() < 0.9:
                end += 1
            stretches.append((hex((START + page) * PAGE), end - page, page not in self.free))
            page = end
        return {"op": "range.list", "process": 1, "result": stretches}

    def size(self, page: int) -> Event:
        known = self.given.get(page, 0)
        return {"op": "range.size", "process": 1, "address": hex((START + page) * PAGE), "result": known}


def recorded(geometry: str, seed: int, lowest: bool = True) -> list[Event]:
    model = Model(geometry == "partial", lowest, random.Random(seed))
    return [CREATE, *(model.step() for _ in range(STEPS))]


def divergences(events: list[Event], level: str, geometry: str) -> list[Divergence]:
    replay = Replay(Rules(geometry_from(GEOMETRIES[geometry]), level), "random")
    found = list(replay.divergences(msgspec.json.encode(event) for event in events))
    assert replay.events == len(events)
    return found


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("level", LEVELS)
def test_first_fit_conforms_at_every_level(geometry: str, level: str) -> None:
    for seed in SEEDS:
        assert divergences(recorded(geometry, seed), level, geometry) == [], seed


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_any_fit_conforms_at_legal(geometry: str) -> None:
    for seed in SEEDS:
        assert divergences(recorded(geometry, seed, lowest=False), LEGAL, geometry) == [], seed


def changed(event: Event, chance: random.Random) -> Event | None:
    """The event with another answer, which is wrong at `exact`; None where there may be another right one."""
    if event["op"] == "range.list":
        stretches = [*event["result"]]
        place = chance.randrange(len(stretches))
        address, pages, taken = stretches[place]
        stretches[place] = (address, pages, not taken) if chance.random() < 0.5 else (address, pages + 1, taken)
        return event | {"result": stretches}
    if event["op"] == "range.size":
        return None if event["result"] == 0 else event | {"result": event["result"] + PAGES}
    if "error" in event:
        without = {key: value for key, value in event.items() if key != "error"}
        return without | ({"result": hex(START * PAGE)} if event["op"] == "range.allocate" else {})
    if event["op"] == "range.allocate" and chance.random() < 0.5:
        return event | {"result": hex(int(event["result"], 16) + PAGE)}
    return {key: value for key, value in event.items() if key != "result"} | {"error": "no"}


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_one_changed_answer_is_named_first(geometry: str) -> None:
    for seed in SEEDS:
        events, chance = recorded(geometry, seed), random.Random(seed)
        place = chance.randrange(1, len(events))
        other = changed(events[place], chance)
        if other is not None:
            found = divergences([*events[:place], other, *events[place + 1 :]], EXACT, geometry)
            assert [each.line for each in found][:1] == [place + 2], seed


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_one_changed_answer_is_named_once(geometry: str) -> None:
    """What follows from it is no fault of its own, however it went on."""
    named = []
    for seed in SEEDS:
        events, chance = recorded(geometry, seed), random.Random(seed)
        places = [n for n, each in enumerate(events) if each["op"] in ("range.list", "range.size") or "error" in each]
        place = chance.choice(places[1:])
        other = changed(events[place], chance)
        if other is not None and "error" not in events[place]:  # an answer that changes nothing
            found = divergences([*events[:place], other, *events[place + 1 :]], EXACT, geometry)
            named.append((seed, [each.line for each in found], place + 2))
    assert [each for each in named if each[1] != [each[2]]] == []
    assert named


class Faulty(Model):
    """It errs once: a free leaves some pages in use, or frees some that follow, too; then it goes on from there."""

    def __init__(self, kind: str, partial: bool, chance: random.Random) -> None:
        super().__init__(partial, True, chance)
        self.kind = kind
        self.erred = False

    def give_back(self, page: int, pages: int) -> Event:
        before = {*self.free}
        event = super().give_back(page, pages)
        if "error" in event or self.erred or self.chance.random() < 0.7:
            return event
        self.erred = True
        if self.kind == "leaks":
            self.free = before
        elif self.kind == "leaks a page":
            self.free.discard(page + pages - 1)
        else:
            after = page + pages
            while after in self.given:  # the run that follows is given back with it
                self.free |= {*range(after, after + self.given[after])}
                after += self.given.pop(after)
                break
        return event


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("level", [LEGAL, EXACT])
@pytest.mark.parametrize("kind", ["leaks", "leaks a page", "frees too much"])
def test_one_fault_is_named_once(kind: str, level: str, geometry: str) -> None:
    named = []
    for seed in SEEDS:
        model = Faulty(kind, geometry == "partial", random.Random(seed))
        events = [CREATE, *(model.step() for _ in range(STEPS))]
        named.append([(each.line, each.finding.clause) for each in divergences(events, level, geometry)])
    assert any(named)
    assert [(seed, found) for seed, found in zip(SEEDS, named, strict=True) if len(found) > 1] == []
