"""Replays what changes frames on the reference's bitmap; names the clause where an implementation errs.

The reference accepts exactly what the law does (that is proved), so as long as it accepts what is recorded, nothing
else is asked.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET

from memoracle.diagnostics.divergence import PREFERS, REFUSAL, Finding, broken, wrongly_failed
from memoracle.diagnostics.levels import Handler, Handlers, Misuses, Rules
from memoracle.replay.common.partial_state import Holdings
from memoracle.replay.common.ways import Brief, Plain, PlainHandlers, line_with, over
from memoracle.replay.frames.known_frames import KnownFrames
from memoracle.spec import bitmap as law
from memoracle.spec import manager
from memoracle.spec.clauses import Clause
from memoracle.spec.geometry_keys import ALLOW, REFUSE, TRUSTING
from memoracle.trace import events
from memoracle.trace.numbers import number

ALLOCATES, FREES = line_with("result"), line_with("address")


class FrameReplay(KnownFrames):
    """The frames of one trace, and the operations on them.

    warnings: the line, and what was let pass there but is worth knowing.  ran_out: whether there was no free frame at
    any moment.  spread: links the doubts to those of other components.
    allocate_within: replays an allocation that names more than nothing.  refuse_unknown_arguments: of a free.
    most_missing: how many frames one of the latest operations may have failed to free.  was_free: told of each frame
    that was handed out wrongly.
    turn_up: whether some of these frames are memory that was added, although its adding was answered as refused; then
    it exists from now on.  count_up: likewise, whether so many more of these are free.
    """

    def __init__(self, rules: Rules) -> None:
        """Every frame of the geometry is usable, as long as no `boot` says otherwise. Raises GeometryError."""
        super().__init__(rules)
        self.safe = rules.safe
        self.trusting = rules.geometry.frame_free == TRUSTING
        self.law_of_free = law.free_trusting if self.trusting else law.free
        self.warnings: list[tuple[int, str]] = []
        self.spread: Callable[[], None] = lambda: None
        self.allocate_within: Handler = lambda event, line: None
        self.refuse_unknown_arguments: Callable[[events.FrameFree], None] = lambda event: None
        self.most_missing: Callable[[], int] = lambda: 1
        self.was_free: Callable[[int], None] = lambda frame: None
        self.turn_up: Callable[[int, int], bool] = lambda first, last: False
        self.count_up: Callable[[int, int, int], bool] = lambda more, first, last: False
        self.warned: set[int] = set()
        self.ran_out = False

    def end(self) -> None:
        """Nothing more is replayed: lets go of those that know these frames."""
        self.shown_by = self.spread = self.allocate_within = self.refuse_unknown_arguments = over
        self.most_missing = self.was_free = self.turn_up = self.count_up = over

    def handlers(self) -> Handlers:
        """What replays each of these operations."""
        return {
            events.FrameAllocate: self.allocate,
            events.FrameFree: self.free_trusting if self.trusting else self.free,
        }

    def plain(self) -> PlainHandlers:
        """What replays most of these operations, at less cost."""
        served, take = (self.allocate_lowest, self.take_lowest) if self.exact else (self.allocate_any, self.take)
        allocate = Brief(ALLOCATES, lambda event: self.frames_named[event.result], take)
        plain: PlainHandlers = {events.FrameAllocate: Plain(served, ("result",), brief=allocate)}
        if not self.trusting:
            free = Brief(FREES, lambda event: self.frames_named[event.address], self.give_back)
            plain[events.FrameFree] = Plain(self.free_one, ("address",), brief=free)
        return plain

    def misuses(self) -> Misuses:
        """What of the law each of these operations breaks as it was called."""
        return {events.FrameFree: self.violated_by_call_of_free}

    # frame.allocate

    def allocate(self, event: events.FrameAllocate, line: int) -> Finding | None:
        plain = event.alignment is event.from_ is event.below is event.count is event.order is event.zone is UNSET
        if not plain:
            return self.allocate_within(event, line)
        if event.result is None:
            return self.allocate_failed(event)
        return self.allocate_lowest(event, line) if self.exact else self.allocate_any(event, line)

    def allocate_any(self, event: events.FrameAllocate, line: int) -> Finding | None:
        """An allocation that names nothing, and was served."""
        assert event.result is not None, "it was served"
        frame = self.frames_named[event.result]
        if frame is not None and self.take(frame, line):
            return None
        return self.allocate_this(number(event.result), line)

    def take(self, frame: int, line: int) -> bool:
        """Whether a frame was taken of the free ones, and there is nothing to be found; else nothing has changed."""
        doubts = self.doubts
        if doubts.frames or doubts.count_error or self.rules.unknown_frames or not self.bitmap.take(frame):
            return False
        self.was_taken(frame, line)
        return True

    def was_taken(self, frame: int, line: int) -> None:
        """A frame was taken of the free ones."""
        try:
            self.lines[frame] = line
        except ValueError:  # a line past 2^32
            self.lines[frame] = 0
        if not self.bitmap.free_frames:
            self.ran_out = True

    def allocate_lowest(self, event: events.FrameAllocate, line: int) -> Finding | None:
        """Likewise, where it is held against what the reference would give."""
        assert event.result is not None, "it was served"
        frame = self.frames_named[event.result]
        if frame is not None and self.take_lowest(frame, line):
            return None
        if self.rules.unknown_frames:
            return self.allocate_any(event, line)
        lowest = self.bitmap.allocate()
        if lowest is not None and lowest == frame:
            return self.allocated(frame, line)
        if lowest is not None:
            self.bitmap.free(lowest)
            return self.other_than_lowest(number(event.result), frame, lowest, line)
        return None if self.is_settled(frame, line) else self.handed_out_wrongly(number(event.result))

    def take_lowest(self, frame: int, line: int) -> bool:
        """Likewise of the frame that the reference would give."""
        doubts = self.doubts
        if doubts.frames or doubts.count_error or self.rules.unknown_frames:
            return False
        lowest = self.bitmap.allocate()
        if lowest != frame:
            if lowest is not None:
                self.bitmap.free(lowest)
            return False
        self.was_taken(frame, line)
        return True

    def allocate_this(self, address: int, line: int) -> Finding | None:
        """The frame at an address was allocated, whichever it is."""
        frame = self.frame_at(address)
        if frame is not None and self.bitmap.take(frame):
            return self.allocated(frame, line)
        return None if self.is_settled(frame, line) else self.handed_out_wrongly(address)

    def allocated(self, frame: int, line: int) -> Finding | None:
        """A frame was taken of the free ones."""
        self.was_taken(frame, line)
        doubts = self.doubts
        if doubts.frames or doubts.count_error:
            doubts.was_free(frame)
        return self.allocated_unknown(frame) if self.rules.unknown_frames else None

    def allocated_row(self, first: int, last: int, line: int) -> Finding | None:
        """Frames first to last - 1 were taken of the free ones, one after the other."""
        doubts, free = self.doubts, self.bitmap.free_frames
        self.remember_row(first, last, line)
        self.ran_out |= not free
        doubts.frames = {frame for frame in doubts.frames if not first <= frame < last}
        doubts.count_error = max(doubts.count_error, -free)
        return self.allocated_unknown(last - 1) if self.rules.unknown_frames else None

    def is_settled(self, frame: int | None, line: int, free: bool = False) -> bool:
        """Whether what was done to a frame agrees with a wrong answer that was named already; it counts from now on.

        free: whether the frame is by the trace.
        """
        self.spread()
        if frame is None or self.bitmap.is_never_free(frame):
            return False
        if not free and self.turn_up(frame, frame + 1) and self.bitmap.take(frame):
            self.remember(frame, line)
            return True
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
        self.notice_exhaustion()
        return self.surely_free < frames

    def notice_exhaustion(self) -> None:
        """Notes it if no frame is free."""
        self.ran_out |= self.surely_free < 1

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
        """What is found when the frames not known to be taken are no more than those that kernel pages have."""
        if self.free_frames >= 0:
            return None
        self.rules.unknown_frames = self.bitmap.free_frames
        clause, state = law.allocates_only_free, self.around(frame << self.geometry.page_shift)
        message = f"frame {frame} was allocated, but kernel pages have all frames that were left"
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
        if event.error is not UNSET:
            return self.free_refused(event, number(event.address))
        return self.free_one(event, line)

    def free_one(self, event: events.FrameFree, line: int) -> Finding | None:
        """A free of a frame that succeeded."""
        frame = self.frames_named[event.address]
        if frame is not None and self.give_back(frame, line):
            return None
        if frame is None or frame in self.kernel_page_frames or not self.bitmap.free(frame):
            address = number(event.address)
            if self.doubts.was_owed(address, frame):
                return None
            return None if self.is_settled(frame, line, free=True) else self.freed_wrongly(address, line)
        self.remember(frame, line)
        self.doubts.frames.discard(frame)
        return self.freed_while_used(frame, line)

    def give_back(self, frame: int, line: int) -> bool:
        """Whether a frame was freed, and there is nothing to be found; else nothing has changed."""
        if frame in self.kernel_page_frames or frame in self.uses or frame in self.gets or not self.bitmap.free(frame):
            return False
        try:
            self.lines[frame] = line
        except ValueError:  # a line past 2^32
            self.lines[frame] = 0
        if self.doubts.frames:
            self.doubts.frames.discard(frame)
        return True

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
            self.doubts.add([frame])  # the free may have been ignored
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

    def kernel_pages_refuse(self, frame: int) -> Clause | None:
        """The clause that refuses to free a frame of kernel pages."""
        clause, state = manager.takes_back_what_was_given, Holdings(use=self.use_of)
        return None if clause(state, frame) else clause
