"""What is said of an operation on a run or block of frames: what was asked for, what lies in the way, what is free."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from memoracle.console.counted import agreeing, counted
from memoracle.diagnostics.divergence import REFUSAL, since
from memoracle.replay.frames.frame_requests import Request, Size
from memoracle.replay.frames.frames import FrameReplay
from memoracle.replay.frames.run_frames import RunFrames
from memoracle.spec import addresses, given_runs, manager
from memoracle.spec import bitmap as frame_law
from memoracle.spec import runs as law
from memoracle.spec import zones as zone_law
from memoracle.spec.clauses import Clause
from memoracle.spec.geometry_keys import BUDDY
from memoracle.trace.quoting import quoted


@dataclass(frozen=True)
class RunWords:
    """frames: the frames of one trace.  most: how many frames one block may have."""

    frames: FrameReplay
    most: int

    @property
    def runs(self) -> RunFrames:
        runs = self.frames.bitmap
        assert isinstance(runs, RunFrames)
        return runs

    def at(self, frame: int) -> str:
        return f"{frame << self.frames.geometry.page_shift:#x}"

    def named(self, first: int, count: int) -> str:
        """A run by its frames."""
        return f"frame {first}" if count == 1 else f"frames {first} to {first + count - 1}"

    def named_by_size(self, first: int, size: Size) -> str:
        """The same; one of which it is not known how many frames it has by what the event says."""
        return self.named(first, size.frames) if size.is_counted else f"{size.words} from frame {first} on"

    # Why not

    def why_not(self, clause: Clause, address: int, size: Size, asked: Request | None = None) -> str:
        """What was seen where a clause refuses to hand a run out, or to give it back."""
        first, count = address >> self.frames.geometry.page_shift, size.frames
        for about, words in self.words(address, first, size, asked):
            if clause is about:
                return words()
        return of_run(self.named_by_size(first, size), self.in_the_way(first, count, clause))

    def words(
        self, address: int, first: int, size: Size, asked: Request | None
    ) -> Sequence[tuple[Clause, Callable[[], str]]]:
        frames, count, run = self.frames, size.frames, self.named_by_size(first, size)
        one = count == 1 or not size.is_counted
        limits = None if asked is None else asked.limits
        reach = f"has frames 0 to {frames.bitmap.frames - 1}"
        begins, ends = self.at(first), f"at {self.at(first + count)}, " if size.is_counted else ""
        last = first + count - 1 if size.is_counted else None
        alignment = 0 if asked is None or limits is None else max(limits.alignment, asked.alignment * self.page)
        refused_alignment = 0 if limits is None else limits.alignment
        return (
            (addresses.address_is_aligned, lambda: frames.describe(address)),
            (law.run_has_a_place, lambda: no_run(size, "block" if self.of_blocks else "run")),
            (
                given_runs.block_is_not_too_large,
                lambda: f"{size.words}: a block has {counted(self.most, 'frame')} at most",
            ),
            (frame_law.alignment_is_a_power_of_two, lambda: f"{refused_alignment} is not a power of two"),
            (
                law.run_is_aligned,
                lambda: f"frame {first} begins at {begins}, which is not a multiple of {alignment:#x}",
            ),
            (
                law.run_lies_within_limits,
                lambda: (
                    f"{run} begin{'s' if one else ''} at {begins}, below {limits.lowest:#x}"
                    if limits is not None and int(begins, 16) < limits.lowest
                    else f"{run} end{'s' if one else ''} {ends}above {limits.below if limits else 0:#x}"
                ),
            ),
            (law.run_lies_in_reach, lambda: f"{run} {'is' if one else 'are'} outside the bitmap, which {reach}"),
            (zone_law.zone_is_named, lambda: of_run(run, self.zone_in_words(first, asked))),
            (zone_law.run_lies_in_zone, lambda: of_run(run, self.zone_in_words(last, asked))),
            (given_runs.frees_a_whole_run, lambda: self.no_whole_run(first, count)),
        )

    @property
    def page(self) -> int:
        return self.frames.geometry.page_size

    @property
    def of_blocks(self) -> bool:
        return self.frames.geometry.frame_allocator == BUDDY

    def zone_in_words(self, frame: int | None, asked: Request | None) -> str:
        """In which zone a frame lies, one past all of them if it has no number, and which ones were named."""
        geometry, shift = self.frames.geometry, self.frames.geometry.page_shift
        zones = geometry.frames_of_zones.items()
        inside = next((name for name, (start, end) in zones if frame is not None and start <= frame < end), None)
        wanted = () if asked is None else asked.zones or ()
        named = ", ".join(
            f"{quoted(name)} ({f'{start << shift:#x} to {(end << shift) - 1:#x}' if start < end else 'no frames'})"
            for name, (start, end) in zones
            if (start, end) in wanted
        )
        lies = "in no zone" if inside is None else f"in the zone {quoted(inside)}"
        which = "its last frame" if frame is None else f"frame {frame}"
        return f"{which} lies {lies}; {f'asked for: {named}' if named else 'no zone was asked for'}"

    def in_the_way(self, first: int, count: int, clause: Clause) -> str:
        """The first frame by which a run is not as a clause wants it, and the line that it comes from."""
        frame = self.obstacle(first, count, clause)
        return self.frames.describe_frame(frame, "" if clause is manager.takes_back_what_was_given else "already ")

    def obstacle(self, first: int, count: int, clause: Clause) -> int:
        """The first frame of a run that is not as a clause wants it; the first of all, if it is not about one frame."""
        runs, frame = self.runs, first
        if clause is law.run_is_free:
            frame = runs.available.next_out(first)
        elif clause is law.frees_only_existing:
            frame = runs.existing.next_out(first)
        elif clause is law.frees_only_what_may_be_free:
            frame = runs.changing.next_out(first)
        elif clause is law.frees_only_allocated:
            frame = runs.available.next_in(first)
        elif clause is frame_law.frame_is_in_reach:
            frame = max(first, runs.frames)
        elif clause is frame_law.frees_only_what_may_be_free:
            pieces = self.frames.geometry.never_free_frames
            frame = min((max(first, start) for start, end in pieces if first < end), default=first)
        elif clause is manager.takes_back_what_was_given:
            frame = min(page for page in self.frames.kernel_page_frames if first <= page < first + count)
        return frame if first <= frame < first + count else first

    def no_whole_run(self, first: int, count: int) -> str:
        """Which run was given instead of the one that is freed."""
        start = self.runs.run_of(first)
        run = self.named(first, count)
        if start is None:
            return f"{run}: no allocation begins there"
        given = self.runs.given_at(start)
        origin = since(self.frames.lines[start], "by")
        return f"{run}: what was allocated{origin} is {self.named(start, given)}"

    # What is legal

    def longest(self) -> tuple[int, int]:
        """The longest free run, the lowest if there are several: its first frame, and how many it has."""
        return self.runs.available.longest_run()

    def largest_block(self) -> tuple[int, int]:
        """The largest free block, the lowest if there are several: its first frame, and how many it has."""
        fits = min(self.longest()[1], self.most).bit_length() - 1
        blocks = ((self.runs.available.find(1 << n, 1 << n, 0, self.runs.frames), 1 << n) for n in range(fits, -1, -1))
        return next((first, count) for first, count in blocks if first is not None)

    def longest_in_words(self) -> str:
        """The longest free run; where blocks are handed out, the largest that is free."""
        if not self.runs.free_frames:
            return "no frame is free"
        which, (first, count) = (
            ("largest free block", self.largest_block()) if self.of_blocks else ("longest free run", self.longest())
        )
        return f"the {which} has {counted(count, 'frame')}, from frame {first} ({self.at(first)})"

    def choices(self, asked: Request, lowest: int | None, exact: bool) -> str:
        """What may be given. lowest: the first frame of the lowest run that may."""
        if lowest is None:
            return f"{REFUSAL}: {self.longest_in_words()}"
        which = f"frame {lowest} ({self.at(lowest)})"
        if exact:
            return f"what the reference gives: {self.named(lowest, asked.wanted)} ({self.at(lowest)})"
        limits = asked.limits.words.removeprefix("a free frame")
        alignment = "" if asked.alignment == asked.limits.frames[0] else ", aligned to its size"
        several = f"free {'block' if self.of_blocks else 'run'} of {counted(asked.wanted, 'frame')}"
        run = "free frame" if asked.wanted == 1 else several
        limits += "" if asked.zones is None else ", in one of the zones named"
        lowest_of = "" if asked.zones is None or len(asked.zones) == 1 else " in the first zone that can serve"
        return f"any {run}{limits}{alignment}; the lowest{lowest_of} begins at {which}; {self.longest_in_words()}"

    # State

    def around(self, address: int, size: Size, at: int | None = None) -> dict[str, Any]:
        """The state around a run, or around one frame of it."""
        first = address >> self.frames.geometry.page_shift
        longest, length = self.longest()
        frame = first if at is None else at
        asked = {"first": first} | ({"frames": size.frames} if size.is_counted else {"order": size.order})
        run = {"run": asked, "longest_free_run": {"first": longest, "frames": length}}
        return self.frames.around(frame << self.frames.geometry.page_shift) | run


def no_run(size: Size, run: str) -> str:
    """What is said of an event that names no frames."""
    if size.order is not None:
        return f"{size.words} is no order"
    return f"{size.words} {agreeing(size.frames, 'is', 'are')} no {run}"


def of_run(run: str, seen: str) -> str:
    """What was seen of a run, which is named first unless it is one frame, of which that was seen."""
    return seen if seen.startswith(f"{run} ") else f"{run}: {seen}"
