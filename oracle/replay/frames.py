"""Replays what changes frames on the reference's bitmap; names the clause where an implementation errs.

The reference accepts exactly what the law does (that is proved), so as long as it accepts what is recorded, nothing
else is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from mmap import mmap
from typing import Any

from msgspec import UNSET

from memoracle.console.counted import agreeing, counted
from memoracle.diagnostics.divergence import PREFERS, REFUSAL, Finding, broken, since, wrongly_failed
from memoracle.diagnostics.levels import EXACT, Handler, Handlers, Misuses, Rules
from memoracle.impl import boot as reference
from memoracle.impl.bitmap import BITS, Bitmap
from memoracle.impl.boot import Record
from memoracle.proofs.abstraction.objects import frames_in, frames_of, places_of
from memoracle.replay.doubted_frames import DoubtedFrames
from memoracle.replay.host_memory import BITMAP, MARK, refuse_more_than_memory
from memoracle.replay.min_heap_set import Lowest
from memoracle.replay.partial_state import Holdings
from memoracle.replay.run_frames import RunFrames, booted
from memoracle.spec import addresses, manager
from memoracle.spec import bitmap as law
from memoracle.spec.clauses import Clause
from memoracle.spec.geometry import ALLOW, BUDDY, REFUSE, TRUSTING, Geometry
from memoracle.trace import events
from memoracle.trace.events import number

LINE = 32  # bits of a line's number


class FrameReplay:
    """The frames of one trace.

    bitmap: the state that the trace has led to.  lines: the line that last allocated or freed each frame, or 0.
    kernel_page_frames: the frames of kernel pages and of tables as far as they are known, and the line that allocated
    each.  table_frames: those of tables, and what they were taken with.
    warnings: the line, and what was let pass there but is worth knowing.  uses: by frame, how many pages show it.
    gets, got_by: by frame, how many gets of it are left, if any, and the line of the latest.
    shown_by: the words for a page that shows a frame.  ran_out: whether there was no free frame at any moment.
    unnamed: stands for a frame that is mapped but not known: one that nobody frees, if there is one.
    doubts: what a fault has left in doubt.  spread: links it to the doubts of other components.
    allocate_within: replays an allocation that names more than nothing.  refuse_unknown_arguments: of a free.
    most_missing: how many frames one of the latest operations may have failed to free.  was_free: told of each frame
    that was handed out wrongly.
    """

    def __init__(self, rules: Rules) -> None:
        """Every frame of the geometry is usable, as long as no `boot` says otherwise. Raises GeometryError."""
        self.rules = rules
        self.geometry = geometry = rules.geometry
        refuse_more_than_memory(geometry, (BITMAP if not geometry.has_runs_of_frames else MARK) + LINE)
        self.frame_at = geometry.frame_at
        self.safe = rules.safe
        self.exact = rules.level == EXACT and not rules.private_frames
        self.trusting = geometry.frame_free == TRUSTING
        self.unnamed = unnamed_frame(geometry)
        self.law_of_free = law.free_trusting if self.trusting else law.free
        self.warnings: list[tuple[int, str]] = []
        self.uses: dict[int, int] = {}
        self.gets: dict[int, int] = {}
        self.got_by: dict[int, int] = {}
        self.shown_by: Callable[[int], str] = lambda frame: ""
        self.spread: Callable[[], None] = lambda: None
        self.allocate_within: Handler = lambda event, line: None
        self.refuse_unknown_arguments: Callable[[events.FrameFree], None] = lambda event: None
        self.most_missing: Callable[[], int] = lambda: 1
        self.was_free: Callable[[int], None] = lambda frame: None
        self.warned: set[int] = set()
        self.ran_out = False
        self.kernel_page_frames: dict[int, int] = {}
        self.table_frames: dict[int, Any] = {}
        self.start([Record(0, geometry.frames << geometry.page_shift, reference.USABLE)])

    def handlers(self) -> Handlers:
        """What replays each of these operations."""
        return {
            events.FrameAllocate: self.allocate,
            events.FrameFree: self.free_trusting if self.trusting else self.free,
        }

    def misuses(self) -> Misuses:
        """What of the law each of these operations breaks as it was called."""
        return {events.FrameFree: self.violated_by_call_of_free}

    def start(self, records: Iterable[Record]) -> None:
        """The frames that exist are those of a memory map."""
        geometry = self.geometry
        if not geometry.has_runs_of_frames:
            never_free, shift = geometry.never_free_frames, geometry.page_shift
            bitmap = reference.boot(list(records), shift, geometry.frames, never_free, self.trusting)
            bitmap.reopened = Lowest(bitmap.reopened)
            self.begin(bitmap)
        else:
            self.begin(booted(records, geometry, self.exact and geometry.frame_allocator == BUDDY))

    def begin(self, bitmap: Bitmap | RunFrames) -> None:
        """These are the frames, and no line has spoken of any yet."""
        self.bitmap = bitmap
        self.lines = no_lines(bitmap.frames)
        self.doubts = DoubtedFrames(bitmap)

    def state(self) -> law.Frames:
        """The frames as the law has them."""
        bitmap = self.bitmap
        return frames_in(places_of(bitmap.runs)) if isinstance(bitmap, RunFrames) else frames_of(bitmap)

    def remember(self, frame: int, line: int) -> None:
        try:
            self.lines[frame] = line
        except ValueError:  # a line past 2^32
            self.lines[frame] = 0

    @property
    def free_frames(self) -> int:
        """How many frames are free at the most."""
        return self.bitmap.free_frames - self.rules.unknown_frames

    # frame.allocate

    def allocate(self, event: events.FrameAllocate, line: int) -> Finding | None:
        plain = event.alignment is event.from_ is event.below is event.count is event.order is event.zone is UNSET
        if not plain:
            return self.allocate_within(event, line)
        if event.result is None:
            return self.allocate_failed(event)
        address = number(event.result)
        frame = self.frame_at(address)
        bitmap = self.bitmap
        if self.exact and not self.rules.unknown_frames:
            lowest = bitmap.allocate()
            if lowest is not None and lowest != frame:
                bitmap.free(lowest)
                return self.other_than_lowest(address, frame, lowest, line)
            taken = lowest is not None
        else:
            taken = frame is not None and bitmap.take(frame)
        if taken and frame is not None:
            return self.allocated(frame, line)
        return None if self.is_settled(frame, line) else self.handed_out_wrongly(address)

    def allocate_this(self, address: int, line: int) -> Finding | None:
        """The frame at an address was allocated, whichever it is."""
        frame = self.frame_at(address)
        if frame is not None and self.bitmap.take(frame):
            return self.allocated(frame, line)
        return None if self.is_settled(frame, line) else self.handed_out_wrongly(address)

    def allocated(self, frame: int, line: int) -> Finding | None:
        """A frame was taken of the free ones."""
        try:
            self.lines[frame] = line
        except ValueError:
            self.lines[frame] = 0
        if not self.bitmap.free_frames:
            self.ran_out = True
        doubts = self.doubts
        if doubts.frames or doubts.count_error:
            doubts.was_free(frame)
        return self.allocated_unknown(frame) if self.rules.unknown_frames else None

    def is_settled(self, frame: int | None, line: int, free: bool = False) -> bool:
        """Whether what was done to a frame agrees with a wrong answer that was named already; it counts from now on.

        free: whether the frame is by the trace.
        """
        self.spread()
        if frame is None or self.bitmap.is_never_free(frame):
            return False
        if not self.doubts.settle(frame) and not self.doubts.settle_counted(frame, free):
            return False
        if not free:
            self.doubts.owed.add(frame << self.geometry.page_shift)  # who has it by the trace may free it, too
            self.was_free(frame)
        self.remember(frame, line)
        return True

    @property
    def surely_free(self) -> int:
        """How many frames are free beyond doubt."""
        return self.free_frames - self.doubts.missing + min(0, *self.doubts.offsets)

    def miss(self, frames: int) -> None:
        """So many were not found, where there may be as many.

        If others were not found before, one operation that freed nothing may be the reason of both.
        """
        if self.free_frames < frames:
            return
        self.spread()
        doubts = self.doubts
        is_known = doubts.is_bound and doubts.unnamed < 0
        if is_known and self.surely_free >= frames > self.free_frames - self.most_missing():
            doubts.seem_fewer_than(frames)

    def are_short(self, frames: int = 1) -> bool:
        """Whether fewer frames may be free than these."""
        self.miss(frames)
        short = self.surely_free < frames
        self.ran_out |= short
        return short

    def allocate_failed(self, event: events.FrameAllocate) -> Finding | None:
        if self.are_short():
            return None
        if self.rules.lacking_passes:
            return None
        self.doubts.seem_fewer_than(1)
        says = law.allocate.says
        return wrongly_failed("frame.allocate", event.error, self.choices(), says, self.totals())

    def handed_out_wrongly(self, address: int) -> Finding:
        self.doubts.was_handed_out(address)
        return self.allocated_wrongly(address)

    def allocated_wrongly(self, address: int) -> Finding:
        frame = address >> self.geometry.page_shift
        clause = self.misaligned(address) or broken(law.allocate.broken(self.state(), frame=frame))
        state, message = self.around(address), self.describe(address)
        self.was_free(address >> self.geometry.page_shift)
        return Finding(clause.name, clause.says, message, self.choices(), state, state)

    def allocated_unknown(self, frame: int) -> Finding | None:
        """What is found when the frames that nobody knows to be taken are no more than those that kernel pages have."""
        if self.free_frames >= 0:
            return None
        clause, state = law.allocates_only_free, self.around(frame << self.geometry.page_shift)
        message = f"frame {frame} was allocated, but kernel pages have all frames that were left"
        self.rules.unknown_frames = self.bitmap.free_frames
        return Finding(clause.name, clause.says, message, REFUSAL, state, state)

    def other_than_lowest(self, address: int, frame: int | None, lowest: int, line: int) -> Finding | None:
        before = self.around(address)
        if frame is None or not self.bitmap.take(frame):
            return None if self.is_settled(frame, line) else self.handed_out_wrongly(address)
        self.remember(frame, line)
        self.spread()
        if self.doubts.explain_passing_over(frame):
            return None
        at = f"{lowest << self.geometry.page_shift:#x}"
        return Finding(
            f"frame.allocate.{PREFERS}",
            "the reference allocates the lowest free frame",
            f"frame {frame} was allocated, but frame {lowest} is free and lower",
            f"frame {lowest} ({at})",
            before,
            self.around(address),
        )

    # frame.free

    def violated_by_call_of_free(self, event: events.FrameFree, line: int) -> Clause | None:
        self.refuse_unknown_arguments(event)
        return self.violated_by_free(number(event.address))

    def free(self, event: events.FrameFree, line: int) -> Finding | None:
        if not event.count is event.order is UNSET:
            self.refuse_unknown_arguments(event)
        address = number(event.address)
        if event.error is not UNSET:
            return self.free_refused(event, address)
        frame = self.frame_at(address)
        if frame is None or frame in self.kernel_page_frames or not self.bitmap.free(frame):
            if self.doubts.was_owed(address, frame):
                return None
            return None if self.is_settled(frame, line, free=True) else self.freed_wrongly(address, line)
        try:
            self.lines[frame] = line
        except ValueError:
            self.lines[frame] = 0
        if self.doubts.frames:
            self.doubts.frames.discard(frame)
        return self.freed_while_used(frame, line) if frame in self.uses or frame in self.gets else None

    def freed_while_used(self, frame: int, line: int) -> Finding | None:
        """A frame was freed that has uses: what that is the geometry says."""
        policy, message = self.geometry.free_while_mapped, f"frame {frame} was freed while {self.used_by(frame)}"
        if policy == REFUSE and not self.safe:
            clause, state = broken(self.violated_by_uses(frame)), self.around(frame << self.geometry.page_shift)
            return Finding(clause.name, clause.says, message, REFUSAL, state, state)
        if policy != ALLOW and frame not in self.warned:
            self.warned.add(frame)
            self.warnings.append((line, message))
        return None

    def free_trusting(self, event: events.FrameFree, line: int) -> Finding | None:
        """Behaving is the caller's duty, so a free that the checked law refuses is worth a warning."""
        address = number(event.address)
        frame = address >> self.geometry.page_shift
        spurious = law.free.broken(self.state(), frame=frame) or self.kernel_pages_refuse(frame)
        words = self.describe_frame(frame, "") if frame in self.kernel_page_frames else self.describe(address)
        if event.succeeded and not self.misaligned(address):
            self.kernel_page_frames.pop(frame, None)
            self.table_frames.pop(frame, None)
            if spurious is not None:
                self.warned.add(frame)  # that warning says who maps it, too
        finding = self.free(event, line)
        if event.succeeded and finding is None and spurious is not None:
            self.warnings.append((line, f"spurious free: {words}"))
        return finding

    def free_refused(self, event: events.FrameFree, address: int) -> Finding | None:
        self.spread()
        frame, sure = address >> self.geometry.page_shift, law.MUST_SUCCEED_IF.get(self.law_of_free)
        if self.safe or (sure is not None and not sure(self.state(), frame)) or frame in self.doubts.frames:
            return None
        says = self.law_of_free.says
        return wrongly_failed("frame.free", event.error, "success", says, self.around(address))

    def refused_rightly(self, event: events.FrameFree) -> None:
        """If this free was owed, it has been tried."""
        self.doubts.owed.settle(number(event.address))

    def freed_wrongly(self, address: int, line: int) -> Finding:
        clause = broken(self.violated_by_free(address))
        message, before = self.describe(address), self.around(address)
        frame = address >> self.geometry.page_shift
        if clause is manager.takes_back_what_was_given:
            message = self.describe_frame(frame, "")
            del self.kernel_page_frames[frame]
            self.table_frames.pop(frame, None)
            self.release(frame, line)
        return Finding(clause.name, clause.says, message, REFUSAL, before, self.around(address))

    def release(self, frame: int, line: int) -> bool:
        """Frees a frame that nothing maps any more, if `frame.free` would: what is refused there changes nothing."""
        if frame in self.kernel_page_frames or not self.bitmap.exists(frame) or not self.bitmap.free(frame):
            self.doubts.was_owed(frame << self.geometry.page_shift, frame)
            return False
        self.remember(frame, line)
        return True

    def violated_by_free(self, address: int) -> Clause | None:
        frame = address >> self.geometry.page_shift
        refused = self.misaligned(address) or self.law_of_free.broken(self.state(), frame=frame)
        return refused or self.kernel_pages_refuse(frame) or self.uses_refuse(frame)

    def uses_refuse(self, frame: int) -> Clause | None:
        """The clause that refuses to free a frame that has uses, where the geometry wants it."""
        return self.violated_by_uses(frame) if self.geometry.free_while_mapped == REFUSE else None

    def violated_by_uses(self, frame: int) -> Clause | None:
        """The clause of a release that the uses of a frame break."""
        state = Holdings(uses=lambda physical: self.uses.get(physical, 0), gets=self.gets_of)
        return manager.release.broken(state, frame=frame)

    def gets_of(self, frame: int) -> int:
        """How many gets of a frame are left."""
        return self.gets.get(frame, 0)

    def kernel_pages_refuse(self, frame: int) -> Clause | None:
        """The clause that refuses to free a frame of kernel pages."""
        clause, state = manager.takes_back_what_was_given, Holdings(use=self.use_of)
        return None if clause(state, frame) else clause

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


def no_lines(frames: int) -> memoryview:
    """A number of 32 bits for each frame, all of them 0; the system gives memory only to those that are written."""
    return memoryview(mmap(-1, frames * LINE // 8)).cast("I")
