"""The frames of one trace: which are free, who has the others as far as it is known, and both in words."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, cast

from memoracle.console.counted import agreeing, counted
from memoracle.diagnostics.divergence import REFUSAL, since
from memoracle.diagnostics.levels import EXACT, Rules
from memoracle.impl import boot as reference
from memoracle.impl.bitmap import BITS, Bitmap
from memoracle.impl.boot import Record
from memoracle.proofs.abstraction.objects import frames_in, frames_of, places_of
from memoracle.replay.common.host_memory import BITMAP, MARK, refuse_more_than_memory
from memoracle.replay.containers.known_numbers import KnownNumbers
from memoracle.replay.containers.min_heap_set import Lowest
from memoracle.replay.containers.run_lines import BACK, RunLines, no_lines
from memoracle.replay.containers.sparse_lines import LAST, SparseLines
from memoracle.replay.frames.doubted_frames import DoubtedFrames
from memoracle.replay.frames.run_frames import RunFrames, booted
from memoracle.spec import addresses, manager
from memoracle.spec import bitmap as law
from memoracle.spec.clauses import Clause
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import TRUSTING

MOST_DENSE = 1 << 24  # frames of which each has a place for its line: 64 MiB


def memory_of_a_frame(geometry: Geometry) -> int:
    """How many bits each takes before anything is said of it: the numbers of lines take none until then."""
    return MARK + BACK if geometry.has_runs_of_frames else BITMAP


class KnownFrames:
    """What a trace has said of frames.

    frames_named: the frame that starts at an address, as a trace writes it; raises BadNumber.
    bitmap: the state that the trace has led to.  runs: the same, where runs are handed out.
    lines: the line that last allocated or freed each frame, or 0.
    kernel_page_frames: the frames of kernel pages and of tables as far as they are known, and the line that allocated
    each.  table_frames: those of tables, and what they were taken with.
    uses: by frame, how many pages show it.  shown_by: the words for a page that shows a frame.
    gets, got_by: by frame, how many gets of it are left, if any, and the line of the latest.
    unnamed: stands for a frame that is mapped but not known: one that nobody frees, if there is one.
    doubts: what a fault has left in doubt.
    """

    def __init__(self, rules: Rules) -> None:
        """Every frame of the geometry is usable, as long as no `boot` says otherwise. Raises GeometryError."""
        self.rules = rules
        self.geometry = geometry = rules.geometry
        refuse_more_than_memory(geometry, memory_of_a_frame(geometry))
        self.frame_at = geometry.frame_at
        self.frames_named = KnownNumbers(geometry.frame_at)
        self.exact = rules.level == EXACT and not rules.private_frames
        self.unnamed = unnamed_frame(geometry)
        self.uses: dict[int, int] = {}
        self.gets: dict[int, int] = {}
        self.got_by: dict[int, int] = {}
        self.shown_by: Callable[[int], str] = lambda frame: ""
        self.kernel_page_frames: dict[int, int] = {}
        self.table_frames: dict[int, Any] = {}
        self.start([Record(0, geometry.frames << geometry.page_shift, reference.USABLE)])

    def start(self, records: Iterable[Record]) -> None:
        """The frames that exist are those of a memory map."""
        geometry = self.geometry
        if not geometry.has_runs_of_frames:
            trusting = geometry.frame_free == TRUSTING
            never_free, shift = geometry.never_free_frames, geometry.page_shift
            bitmap = reference.boot(list(records), shift, geometry.frames, never_free, trusting)
            bitmap.reopened = Lowest(bitmap.reopened)
            self.begin(bitmap)
        else:
            self.begin(booted(records, geometry, self.exact))

    def begin(self, bitmap: Bitmap | RunFrames) -> None:
        """These are the frames, and no line has spoken of any yet."""
        self.bitmap = bitmap
        self.lines: memoryview | SparseLines | RunLines
        if isinstance(bitmap, RunFrames):
            self.runs, self.lines = bitmap, bitmap.lines
        else:
            many = bitmap.frames > MOST_DENSE
            self.lines = SparseLines(bitmap.frames) if many else no_lines(bitmap.frames)
        self.doubts = DoubtedFrames(bitmap)

    def state(self) -> law.Frames:
        """The frames as the law has them."""
        bitmap = self.bitmap
        if isinstance(bitmap, RunFrames):
            return replace(frames_in(places_of(bitmap.runs)), exists=lambda frame: bitmap.exists(cast("int", frame)))
        return frames_of(bitmap)

    def remember(self, frame: int, line: int) -> None:
        try:
            self.lines[frame] = line
        except ValueError:  # a line past 2^32
            self.lines[frame] = 0

    def remember_row(self, first: int, last: int, line: int) -> None:
        """Likewise of frames first to last - 1."""
        lines, line = self.lines, line if line <= LAST else 0
        if isinstance(lines, memoryview):
            lines[first:last] = array("I", [line]) * (last - first)
        else:
            lines.note(first, last - first, line)

    @property
    def free_frames(self) -> int:
        """How many frames are free at the most."""
        return self.bitmap.free_frames - self.rules.unknown_frames

    def gets_of(self, frame: int) -> int:
        """How many gets of a frame are left."""
        return self.gets.get(frame, 0)

    def use_of(self, frame: int) -> int:
        """What a frame that isn't free is used for, as far as it is known."""
        if frame not in self.kernel_page_frames:
            return manager.GIVEN
        return manager.TABLE if frame in self.table_frames else manager.PAGES

    # In words

    def misaligned(self, address: int) -> Clause | None:
        clause = addresses.address_is_aligned
        return None if clause(self.geometry, address) else clause

    def choices(self) -> str:
        free = self.free_frames
        if self.exact and not self.rules.unknown_frames:
            return "the lowest free frame" if free > 0 else REFUSAL
        if free <= 0:
            return REFUSAL
        return "the free frame" if free == 1 else f"any of {free:,} free frames"

    def describe(self, address: int) -> str:
        """What is known of the frame that an address names."""
        if self.misaligned(address):
            return f"{address:#x} is not a multiple of the page size, {self.geometry.page_size:#x}"
        return self.describe_frame(address >> self.geometry.page_shift)

    def describe_frame(self, frame: int, already: str = "already ") -> str:
        bitmap, name = self.bitmap, f"frame {frame}"
        if not 0 <= frame < bitmap.frames:
            return f"{name} is outside the bitmap, which has frames 0 to {bitmap.frames - 1}"
        if bitmap.is_never_free(frame):
            return f"{name} is the kernel image's" if self.geometry.never_free is None else f"{name} is never free"
        if bitmap.is_free(frame):
            return f"{name} is {already}free{since(self.lines[frame], 'freed by')}{self.mapped(frame)}"
        if not bitmap.exists(frame):
            return f"{name} does not exist: it is not usable memory"
        held_for = "page tables" if frame in self.table_frames else "kernel pages"
        purpose = f", for {held_for}" if frame in self.kernel_page_frames else ""
        return f"{name} is {already}allocated{since(self.lines[frame])}{purpose}{self.mapped(frame)}"

    def mapped(self, frame: int) -> str:
        """Who uses a frame, if anybody does: then it has not been released."""
        return f"; {self.used_by(frame)}" if frame in self.uses or frame in self.gets else ""

    def used_by(self, frame: int) -> str:
        """The words for the uses of a frame that has some."""
        shown = [self.shown_by(frame)] if frame in self.uses else []
        gets = self.gets_of(frame)
        of_it = f"{counted(gets, 'get')} of it {agreeing(gets, 'is', 'are')} left{since(self.got_by.get(frame, 0))}"
        return " and ".join([*shown, *([of_it] if gets else [])])

    def totals(self) -> dict[str, Any]:
        return {"free_frames": self.free_frames}

    def around(self, address: int) -> dict[str, Any]:
        """The state around an address: its frame, and that word of the bitmap, first frame first, 1 = free."""
        frame = address >> self.geometry.page_shift
        bitmap = self.bitmap
        if not 0 <= frame < bitmap.frames:
            return {"frame": frame} | self.totals()
        state = "free" if bitmap.is_free(frame) else "allocated" if bitmap.exists(frame) else "missing"
        first = frame - frame % BITS
        bits = bits_of(bitmap, first)[: bitmap.frames - first]
        told = {"frame": frame, "state": state, "line": self.lines[frame] or None, "first": first, "bits": bits}
        return told | self.totals()


def bits_of(bitmap: Bitmap | RunFrames, first: int) -> str:
    """Which frames of a word are free, the first of them foremost: 1 = free."""
    return bitmap.bits(first, BITS) if isinstance(bitmap, RunFrames) else f"{bitmap.words[first // BITS]:064b}"


def unnamed_frame(geometry: Geometry) -> int:
    """A frame that is never free, or else one that does not exist; the last one where an address has no room for it."""
    for first, _ in geometry.never_free_frames:
        return first
    fits = (geometry.frames + 1) << geometry.page_shift <= 1 << geometry.physical_address_bits
    return geometry.frames if fits else geometry.frames - 1
