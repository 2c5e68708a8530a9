"""Physical frames: which exist, and which are free.

The machine's frames are numbered from 0. One is allocated by being picked from the free ones, any of them, and becomes
free again when it is given back. Some frames are never free, any set of them: those of the kernel's image, wherever it
lies, and whatever else is put aside before the memory map is read. Freeing is checked, or trusting: then any frame that
may be free becomes free, and the caller must see to it that it was allocated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from memoracle.spec.clauses import Number, Truth, at_least, at_most, clause, implies, neg, operation, when


@dataclass(frozen=True)
class Frames:
    """State. No implementation needs to keep the last two; `in_use` remembers which frames were handed out."""

    reach: Number  # the bitmap has a bit for each frame below this
    count: Number  # the free frames, as the implementation counts them
    never_free: Callable[[Number], Truth]  # the kernel image's frames, and what else is put aside
    exists: Callable[[Number], Truth]
    is_free: Callable[[Number], Truth]
    in_use: Callable[[Number], Truth]  # handed out, and not given back by the one who holds it
    free_below: Callable[[Number], Number]  # how many frames below this one are free


# Initially


def empty(reach: Number, never_free: Callable[[Number], Truth]) -> Frames:
    """Before the memory map is read only the frames exist that are never free."""
    return Frames(
        reach=reach,
        count=0,
        never_free=never_free,
        exists=never_free,
        is_free=lambda frame: False,
        in_use=lambda frame: False,
        free_below=lambda frame: 0,
    )


# Invariants


@clause("the frames that are never free exist")
def never_free_frames_exist(s: Frames, frame: Number) -> Truth:
    return implies(s.never_free(frame), s.exists(frame))


@clause("only frames that exist are free")
def only_existing_frames_are_free(s: Frames, frame: Number) -> Truth:
    return implies(s.is_free(frame), s.exists(frame))


@clause("a free frame has a bit in the bitmap")
def free_frames_are_reached(s: Frames, frame: Number) -> Truth:
    return implies(s.is_free(frame), (0 <= frame) & (frame < s.reach))


@clause("no frame is free that is never free")
def never_free_frames_are_not_free(s: Frames, frame: Number) -> Truth:
    return neg(s.never_free(frame) & s.is_free(frame))


@clause("a frame in use is not free")
def frames_in_use_are_not_free(s: Frames, frame: Number) -> Truth:
    return neg(s.in_use(frame) & s.is_free(frame))


@clause("a frame in use exists")
def frames_in_use_exist(s: Frames, frame: Number) -> Truth:
    return implies(s.in_use(frame), s.exists(frame))


@clause("no free frame lies below frame 0")
def counting_starts_at_zero(s: Frames) -> Truth:
    return s.free_below(0) == 0


@clause("each free frame is counted once")
def each_free_frame_counts_once(s: Frames, frame: Number) -> Truth:
    return implies(0 <= frame, s.free_below(frame + 1) == s.free_below(frame) + when(s.is_free(frame), 1, 0))


@clause("between two frames lie no more free ones than frames")
def counting_follows_frames(s: Frames, frame: Number, later: Number) -> Truth:
    between = s.free_below(later) - s.free_below(frame)
    return implies((0 <= frame) & (frame <= later), (0 <= between) & (between <= later - frame))


@clause("the count is the number of free frames")
def count_is_the_free_frames(s: Frames) -> Truth:
    return s.count == s.free_below(s.reach)


CHECKED = (
    never_free_frames_exist,
    only_existing_frames_are_free,
    free_frames_are_reached,
    never_free_frames_are_not_free,
    frames_in_use_are_not_free,
    frames_in_use_exist,
    counting_starts_at_zero,
    each_free_frame_counts_once,
    counting_follows_frames,
    count_is_the_free_frames,
)
# What is left when the callers are trusted.
BROKEN_ON_TRUST = (only_existing_frames_are_free, frames_in_use_are_not_free, frames_in_use_exist)
TRUSTING = tuple(clause for clause in CHECKED if clause not in BROKEN_ON_TRUST)


# Operations


@clause("a frame is added once, before it is handed out")
def adds_only_new_frames(s: Frames, frame: Number) -> Truth:
    return neg(s.is_free(frame)) & neg(s.in_use(frame))


@clause("a frame is added only if it may be free, and the bitmap has a bit for it")
def adds_only_in_reach(s: Frames, frame: Number) -> Truth:
    return neg(s.never_free(frame)) & (0 <= frame) & (frame < s.reach)


@operation("bitmap.add", guard=[adds_only_new_frames, adds_only_in_reach])
def add(s: Frames, frame: Number) -> Frames:
    """At boot, a frame of usable memory is found: it exists and is free."""
    return replace(freed(s, frame), exists=lambda other: s.exists(other) | (other == frame))


def added(s: Frames, first: Number, last: Number) -> Frames:
    """The state after each frame from `first` up to `last` was added, one after the other."""

    def among(frame: Number) -> Truth:
        return (first <= frame) & (frame < last)

    return replace(
        s,
        count=s.count + (last - first),
        exists=lambda frame: s.exists(frame) | among(frame),
        is_free=lambda frame: s.is_free(frame) | among(frame),
        in_use=lambda frame: s.in_use(frame) & neg(among(frame)),
        free_below=lambda frame: s.free_below(frame) + (at_least(at_most(frame, last), first) - first),
    )


def turns_up(s: Frames, first: Number, last: Number, frame: Number) -> Truth:
    """Whether a frame is part of the memory that is added; frames without a bit are of no account."""
    return (first <= frame) & (frame < last) & (0 <= frame) & (frame < s.reach)


@clause("memory that is added did not exist")
def adds_only_what_is_missing(s: Frames, first: Number, last: Number, frame: Number) -> Truth:
    return implies(turns_up(s, first, last, frame), neg(s.exists(frame)))


@clause("no frame is added that is free already")
def adds_only_what_is_not_free(s: Frames, first: Number, last: Number, frame: Number) -> Truth:
    return implies(turns_up(s, first, last, frame), neg(s.is_free(frame)))


@operation("memory.add", guard=[adds_only_what_is_missing, adds_only_what_is_not_free])
def add_memory(s: Frames, first: Number, last: Number) -> Frames:
    """After boot, memory turns up: its frames within the bitmap's reach, none of which existed, exist and are free."""
    start, end = at_least(first, 0), at_most(last, s.reach)
    return added(s, start, at_least(end, start))


@clause("only a free frame is allocated")
def allocates_only_free(s: Frames, frame: Number) -> Truth:
    return s.is_free(frame)


@operation("frame.allocate", guard=[allocates_only_free], chooses=["frame"])
def allocate(s: Frames, frame: Number) -> Frames:
    """One free frame, any of them, becomes allocated; it fails if and only if none is free."""
    return replace(
        s,
        count=s.count - 1,
        is_free=lambda other: s.is_free(other) & (other != frame),
        in_use=lambda other: s.in_use(other) | (other == frame),
        free_below=lambda other: s.free_below(other) - when(frame < other, 1, 0),
    )


@clause("an alignment is a power of two")
def alignment_is_a_power_of_two(s: object, alignment: Number) -> Truth:
    return (0 < alignment) & (alignment & alignment - 1 == 0)


def is_multiple(number: Number, alignment: Number) -> Truth:
    """Whether a number is a multiple of an alignment."""
    return number & alignment - 1 == 0


@clause("the frame lies within the limits that were asked for")
def lies_within_limits(s: Frames, first: Number, last: Number, frame: Number) -> Truth:
    return (first <= frame) & (frame < last)


@clause("the frame is aligned as was asked for")
def is_aligned_as_asked(s: Frames, alignment: Number, frame: Number) -> Truth:
    return is_multiple(frame, alignment)


@operation(
    "frame.allocate (within limits)",
    guard=[alignment_is_a_power_of_two, allocates_only_free, lies_within_limits, is_aligned_as_asked],
    chooses=["frame"],
)
def allocate_within(s: Frames, alignment: Number, first: Number, last: Number, frame: Number) -> Frames:
    """A free frame from the first up to the last one, whose number is a multiple of the alignment, becomes allocated.

    Any such frame; it fails if and only if there is none, or the alignment is not a power of two.
    """
    return allocate(s, frame)


@clause("at least one frame is reserved")
def reserves_some(s: Frames, first: Number, last: Number) -> Truth:
    return first < last


@clause("only free frames are reserved")
def reserves_only_free(s: Frames, first: Number, last: Number, frame: Number) -> Truth:
    return implies((first <= frame) & (frame < last), s.is_free(frame))


@operation("frame.reserve", guard=[reserves_some, reserves_only_free])
def reserve(s: Frames, first: Number, last: Number) -> Frames:
    """All of these frames, each of which is free, become allocated."""
    return reserved(s, first, last)


def reserved(s: Frames, first: Number, last: Number) -> Frames:
    """The state after each frame from `first` up to `last` was allocated, one after the other."""

    def among(frame: Number) -> Truth:
        return (first <= frame) & (frame < last)

    return replace(
        s,
        count=s.count - (last - first),
        is_free=lambda frame: s.is_free(frame) & neg(among(frame)),
        in_use=lambda frame: s.in_use(frame) | among(frame),
        free_below=lambda frame: s.free_below(frame) - (at_least(at_most(frame, last), first) - first),
    )


@clause("the frame lies in the bitmap's reach")
def frame_is_in_reach(s: Frames, frame: Number) -> Truth:
    return (0 <= frame) & (frame < s.reach)


@clause("a frame that is never free is not freed")
def frees_only_what_may_be_free(s: Frames, frame: Number) -> Truth:
    return neg(s.never_free(frame))


@clause("only a frame that exists is freed")
def frees_only_existing(s: Frames, frame: Number) -> Truth:
    return s.exists(frame)


@clause("only an allocated frame is freed")
def frees_only_allocated(s: Frames, frame: Number) -> Truth:
    return neg(s.is_free(frame))


@operation(
    "frame.free", guard=[frame_is_in_reach, frees_only_what_may_be_free, frees_only_existing, frees_only_allocated]
)
def free(s: Frames, frame: Number) -> Frames:
    """An allocated frame that exists and may be free becomes free."""
    return freed(s, frame)


@operation("frame.free (trusting)", guard=[frame_is_in_reach, frees_only_what_may_be_free])
def free_trusting(s: Frames, frame: Number) -> Frames:
    """Any frame that may be free becomes free, whether or not it was allocated or ever existed.

    Whoever was handed the frame may still be using it: a spurious free takes nothing from its hands.
    """
    return replace(
        freed(s, frame),
        count=s.count + when(s.is_free(frame), 0, 1),
        in_use=s.in_use,
        free_below=lambda other: s.free_below(other) + when((frame < other) & neg(s.is_free(frame)), 1, 0),
    )


def freed(s: Frames, frame: Number) -> Frames:
    """The state with one more free frame."""
    return replace(
        s,
        count=s.count + 1,
        is_free=lambda other: s.is_free(other) | (other == frame),
        in_use=lambda other: s.in_use(other) & (other != frame),
        free_below=lambda other: s.free_below(other) + when(frame < other, 1, 0),
    )


@operation("frame.is_free", guard=[frame_is_in_reach])
def is_free(s: Frames, frame: Number) -> Frames:
    """Asking changes nothing; the answer is whether the frame is free."""
    return s


OPERATIONS = (add, allocate, allocate_within, free, is_free)

# A trusting kernel may refuse to free a frame that does not exist; any other free that the law accepts must succeed.
MUST_SUCCEED_IF = {free_trusting: frees_only_existing}


# Theorems


@clause("a frame that was handed out is not handed out again before it is freed")
def hands_out_once(s: Frames, frame: Number) -> Truth:
    return implies(allocates_only_free(s, frame), neg(s.in_use(frame)))


@clause("only a frame that exists and may be free is handed out")
def hands_out_only_memory(s: Frames, frame: Number) -> Truth:
    memory = s.exists(frame) & neg(s.never_free(frame)) & (0 <= frame) & (frame < s.reach)
    return implies(allocates_only_free(s, frame), memory)


@clause("a count of 0 means that no frame is free")
def none_free_at_zero(s: Frames, frame: Number) -> Truth:
    return implies(s.count == 0, neg(s.is_free(frame)))


THEOREMS = (hands_out_once, hands_out_only_memory, none_free_at_zero)


# Queries


@clause("a frame is called free if and only if it is")
def tells_whether_free(s: Frames, frame: Number, answer: Truth) -> Truth:
    return answer == s.is_free(frame)


@clause("no frame is called free that is not")
def calls_free_only_the_free(s: Frames, frame: Number, answer: Truth) -> Truth:
    return implies(answer, s.is_free(frame))


@clause("the answer is the number of free frames")
def tells_the_count(s: Frames, answer: Number) -> Truth:
    return answer == s.count


@clause("no more frames are counted than are free")
def counts_only_the_free(s: Frames, answer: Number) -> Truth:
    return (0 <= answer) & (answer <= s.count)
