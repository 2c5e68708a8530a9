"""Replays what hands out and takes back runs of frames, on the reference's `Runs`; names the clause that breaks.

A buddy system's blocks are such runs, of a power of two frames and aligned to their size: that one fits if and only if
a free block is large enough is a theorem of its law.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from memoracle.console.counted import agreeing
from memoracle.diagnostics.divergence import PREFERS, REFUSAL, Finding, broken, wrongly_failed
from memoracle.diagnostics.levels import Handlers, Misuses, Rules
from memoracle.impl.bitmap import Bitmap
from memoracle.proofs.abstraction.objects import places_of
from memoracle.replay.common.ways import Plain, PlainHandlers
from memoracle.replay.frames.doubted_runs import MOST_DOUBTED, RunDoubts
from memoracle.replay.frames.frame_requests import MOST_KEPT, Named, Request, Size
from memoracle.replay.frames.frames import FrameReplay
from memoracle.replay.frames.freed_runs import FreedRuns
from memoracle.replay.frames.run_frames import RunFrames
from memoracle.spec import runs as law
from memoracle.spec import zones as zone_law
from memoracle.spec.boot import TOP
from memoracle.spec.clauses import Clause
from memoracle.trace import events
from memoracle.trace.numbers import number

POLICY = "the reference allocates the lowest free run that fits"
POLICY_OF_BLOCKS = "the reference gives the lowest that fits in the smallest free block that holds as many"
IN_FIRST_ZONE = ", in the first zone named that has one"


class AllocatedRuns(FreedRuns):
    """The runs of frames of one trace, where its allocator hands them out.

    simple: by the count or the order that is named, how many frames one is given that names nothing else, and the bits
    that are not set in the address of any such run.
    """

    def __init__(self, rules: Rules, frames: FrameReplay, doubts: RunDoubts) -> None:
        super().__init__(rules, frames, doubts)
        self.simple: dict[Named, tuple[int, int]] = {}

    def handlers(self) -> Handlers:
        """What replays each of these operations."""
        return {
            events.FrameAllocate: self.allocate,
            events.FrameReserve: self.reserve,
            events.FrameFree: self.free,
        }

    def misuses(self) -> Misuses:
        """What of the law each of these operations breaks as it was called."""
        return {
            events.FrameAllocate: lambda event, line: self.requests.asked(event).refused,
            events.FrameReserve: lambda event, line: self.violated_by_reserve(
                number(event.address), number(event.count)
            ),
            events.FrameFree: lambda event, line: self.violated_by_free(number(event.address), self.given_back(event)),
        }

    def plain(self) -> PlainHandlers:
        """What replays most of these operations, at less cost."""
        return {
            events.FrameAllocate: Plain(
                self.allocate_preferred if self.frames.exact else self.allocate_any, ("result",), ("count", "order")
            ),
            events.FrameFree: Plain(self.free_run, ("address",), ("count", "order")),
        }

    # frame.allocate

    def allocate_any(self, event: events.FrameAllocate, line: int) -> Finding | None:
        """An allocation that names at the most how many, or an order, and was served."""
        assert event.result is not None, "it was served"
        named = event.count if event.order is UNSET else (event.order,)
        known, address = self.simple.get(named), number(event.result)
        if known is None:
            return self.allocate_first(event, line)
        (count, unset), first, runs = known, address >> self.shift, self.frames.runs
        if address & unset or not runs.take_run(first, count):
            return self.allocate(event, line)
        return self.allocated(runs, first, count, line)

    def allocate_preferred(self, event: events.FrameAllocate, line: int) -> Finding | None:
        """Likewise at exact: the run that the reference gives."""
        assert event.result is not None, "it was served"
        named = event.count if event.order is UNSET else (event.order,)
        known, address = self.simple.get(named), number(event.result)
        if known is None or self.rules.unknown_frames:
            return self.allocate_first(event, line)
        (count, unset), first, runs = known, address >> self.shift, self.frames.runs
        if self.requests.of_blocks:
            given = runs.allocate_block(count)
        else:
            given = runs.allocate_run(count, (unset >> self.shift) + 1, 0, runs.frames)
        if given == first and not address & unset:
            return self.allocated(runs, first, count, line)
        if given is not None:
            runs.free_run(given, count)
        return self.allocate(event, line)

    def allocate_first(self, event: events.FrameAllocate, line: int) -> Finding | None:
        """The like of which is remembered."""
        asked = self.requests.asked(event)
        if asked.refused is None and len(self.simple) < MOST_KEPT:
            named = event.count if event.order is UNSET else (event.order,)
            self.simple[named] = asked.wanted, (asked.alignment << self.shift) - 1
        return self.allocate(event, line)

    def allocate(self, event: events.FrameAllocate, line: int) -> Finding | None:
        asked = self.requests.asked(event)
        if event.result is None:
            return self.allocate_failed(event, asked)
        address, (wanted, alignment, lowest, below, _, refused, zones, _) = number(event.result), asked
        first, runs, best = address >> self.shift, self.frames.bitmap, None
        if refused is not None or isinstance(runs, Bitmap):
            return self.handed_out_wrongly(address, asked, line)
        exact = self.frames.exact and not self.rules.unknown_frames
        if exact and self.requests.of_blocks:
            best = self.preferred_block(asked, address)
        elif exact:
            limits = (wanted, alignment, lowest, below)
            best = runs.allocate_run(*limits) if zones is None else runs.allocate_zoned(zones, *limits)
            if best is not None and best << self.shift == address:
                return self.allocated(runs, first, wanted, line)
            if best is not None:
                runs.free_run(best, wanted)
        fits = lowest <= first <= below - wanted and not (address & self.offset or first & alignment - 1)
        if fits and (zones is None or any(zone.start <= first <= zone.end - wanted for zone in zones)):
            before = {} if best is None else self.words.around(address, asked.size)
            if runs.take_run(first, wanted):
                found = self.allocated(runs, first, wanted, line)
                return found if best is None else self.other_than_lowest(asked, first, best, before)
        if self.frames.turn_up(first, first + wanted):
            return self.allocate(event, line)
        return self.handed_out_wrongly(address, asked, line)

    def preferred_block(self, asked: Request, address: int) -> int | None:
        """The block that the reference would give, if that is another."""
        best = self.runs.preferred(asked.searches)
        return None if best is None or best << self.shift == address else best

    def allocated(self, runs: RunFrames, first: int, count: int, line: int) -> Finding | None:
        """A run was taken of the free frames."""
        frames, doubts = self.frames, self.frames.doubts
        runs.lines.note(first, count, line)
        if count > 1:
            self.doubts.changes.append((first, count, line, False))
        if not runs.runs.free_places:
            frames.ran_out = True
        if doubts.frames or doubts.count_error:
            self.doubts.settle(first, count)
            doubts.count_error = max(doubts.count_error, -frames.bitmap.free_frames)
        if self.doubts.unserved:
            self.doubts.unserved.clear()
        return frames.allocated_unknown(first) if self.rules.unknown_frames else None

    def allocate_failed(self, event: events.FrameAllocate, asked: Request) -> Finding | None:
        lowest = self.runs.find(asked.searches)
        self.frames.notice_exhaustion()
        if lowest is None:
            return None
        if self.rules.lacking_passes or self.doubts.explains_refusal(asked):
            return None
        legal = self.words.choices(asked, self.lowest(asked), self.frames.exact)
        state = self.words.around(lowest << self.shift, asked.size)
        of_law = law.allocate if asked.zones is None else zone_law.allocate
        return wrongly_failed("frame.allocate", event.error, legal, of_law.says, state)

    def handed_out_wrongly(self, address: int, asked: Request, line: int) -> Finding | None:
        first, wanted, size = address >> self.shift, asked.wanted, asked.size
        clause = broken(self.violated_by_answer(address, asked))
        at = self.words.obstacle(first, wanted, clause)
        message, before = self.words.why_not(clause, address, size, asked), self.words.around(address, size, at)
        legal = (
            REFUSAL if asked.refused is not None else self.words.choices(asked, self.lowest(asked), self.frames.exact)
        )
        if self.taken_anyhow(first, wanted, line, clause):
            return None
        return Finding(clause.name, clause.says, message, legal, before, self.words.around(address, size, at))

    def taken_anyhow(self, first: int, count: int, line: int, clause: Clause) -> bool:
        """Takes what can be taken of a run that was handed out wrongly; whether a fault named before explains it."""
        if count < 1 or first < 0 or first + count > self.runs.frames:
            return False
        stretches = [(start, end) for start, end, free in self.runs.pieces(first, first + count) if not free]
        explained = clause is law.run_is_free and self.doubts.explains_taking(stretches)
        if not explained:
            self.doubts.was_handed_out_again(stretches)
        self.runs.take_free_ones(first, count)
        self.remember(first, count, line, freed=False)
        return explained

    def lowest(self, asked: Request) -> int | None:
        """The first frame of the lowest run that may be given, or at `exact` of the one that must be."""
        if asked.refused is not None:
            return None
        prefers = self.frames.exact and self.requests.of_blocks
        return self.runs.preferred(asked.searches) if prefers else self.runs.find(asked.searches)

    def violated_by_answer(self, address: int, asked: Request) -> Clause | None:
        """The clause that keeps a run from being given."""
        _, lowest, below = asked.limits.frames
        first = address >> self.shift
        if asked.limits.below == TOP:  # none was named
            below = max(below, first + asked.wanted)
        refused = asked.refused or self.frames.misaligned(address)
        if refused is not None:
            return refused
        if asked.zones is None:
            return self.runs.refuses_to_give(first, asked.wanted, asked.alignment, lowest, below)
        points = {"count": asked.wanted, "alignment": asked.alignment, "lowest": lowest, "below": below, "first": first}
        zone, state = self.requests.zone_of(first, asked), places_of(self.runs.runs)
        named = zone_law.Zoned(**vars(state), is_named=lambda start, end: (start, end) in (asked.zones or ()))
        return zone_law.allocate.broken(named, **points, start=zone.start, end=zone.end)

    def other_than_lowest(self, asked: Request, first: int, best: int, before: dict[str, Any]) -> Finding | None:
        """What is found at `exact` where a run fits, but a lower one does, too."""
        passed = (
            self.doubts.explains_preferring(best, asked.wanted)
            if self.requests.of_blocks
            else self.doubts.explains_passing_over(asked, first)
        )
        if passed:
            return None
        got, due = self.words.named(first, asked.wanted), self.words.named(best, asked.wanted)
        return Finding(
            f"frame.allocate.{PREFERS}",
            self.policy(asked),
            f"{got} {agreeing(asked.wanted, 'was', 'were')} allocated, but {due} {agreeing(asked.wanted, 'is', 'are')} "
            f"{self.why_preferred(asked, first, best)}",
            f"{due} ({self.words.at(best)})",
            before,
            self.words.around(first << self.shift, asked.size),
        )

    def policy(self, asked: Request) -> str:
        blocks, zoned = self.requests.of_blocks, asked.zones is not None
        return (POLICY_OF_BLOCKS if blocks else POLICY) + (IN_FIRST_ZONE if zoned else "")

    def why_preferred(self, asked: Request, first: int, best: int) -> str:
        if asked.zones is not None and self.requests.zone_of(first, asked) != self.requests.zone_of(best, asked):
            return "free and in a zone named before"
        if self.requests.of_blocks:
            return "in the smallest free block that holds as many"
        return "free and lower" if best < first else "free and in a zone named before"

    # frame.reserve

    def reserve(self, event: events.FrameReserve, line: int) -> Finding | None:
        address, count = number(event.address), number(event.count)
        first = address >> self.shift
        if event.error is not UNSET:
            return self.reserve_refused(event, first, count)
        if not address & self.offset and self.runs.take_run(first, count):
            return self.allocated(self.runs, first, count, line)
        if self.frames.turn_up(first, first + count):
            return self.reserve(event, line)
        clause = broken(self.violated_by_reserve(address, count))
        at = self.words.obstacle(first, count, clause)
        size = Size(count)
        message, before = self.words.why_not(clause, address, size), self.words.around(address, size, at)
        if self.taken_anyhow(first, count, line, clause):
            return None
        return Finding(clause.name, clause.says, message, REFUSAL, before, self.words.around(address, size, at))

    def violated_by_reserve(self, address: int, count: int) -> Clause | None:
        state, first = places_of(self.runs.runs), address >> self.shift
        return self.frames.misaligned(address) or law.reserve.broken(state, first=first, count=count)

    def reserve_refused(self, event: events.FrameReserve, first: int, count: int) -> Finding | None:
        if self.rules.lacking_passes:
            return None
        self.frames.spread()
        doubts = self.frames.doubts
        if doubts.unnamed < 0 or any(first <= frame < first + count for frame in doubts.frames):
            return None
        doubts.lose(range(first, min(first + count, first + MOST_DOUBTED)))
        state = self.words.around(number(event.address), Size(count))
        return wrongly_failed("frame.reserve", event.error, "success", law.reserve.says, state)
