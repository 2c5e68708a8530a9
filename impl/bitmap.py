"""Physical frames in a bitmap of 64-bit words: one bit a frame, 1 = free, the most significant bit first.

Frame f is bit 63 - f % 64 of word f // 64, so the lowest free frame of a word is its leading one.
An operation that the law refuses returns None or False and changes nothing; so does one on a frame outside the bitmap.
"""

from __future__ import annotations

from array import array
from collections.abc import MutableSequence, Sequence
from typing import Final

from sortedcontainers import SortedSet

BITS: Final = 64
FIRST_BIT: Final = 1 << 63
ALL_BITS: Final = (1 << 64) - 1


class Bitmap:
    """The frames of one machine.

    frames: how many frames the bitmap reaches.  never_free: a bit for each of them that is put aside.
    trusting: `free` believes its caller instead of checking (docs/geometry.md, `frame_free`).

    inv: 0 <= self.free_frames <= self.frames
    """

    def __init__(self, frames: int, never_free: Sequence[tuple[int, int]] = (), trusting: bool = False) -> None:
        """Only the frames exist so far that are never free: of each pair, those from the first up to the second.

        pre: 1 <= frames and all(0 <= first < last <= frames for first, last in never_free)
        post: (self.frames, self.trusting, self.count()) == (frames, trusting, 0)
        post: all(self.is_never_free(f) == any(a <= f < b for a, b in never_free) for f in range(frames))
        post: all(self.exists(f) == self.is_never_free(f) and not self.is_free(f) for f in range(frames))
        """
        self.frames = frames
        self.trusting = trusting
        self.length = (frames + BITS - 1) // BITS  # of the bitmap, in words
        self.never_free = array("Q", [0]) * self.length
        for first, last in never_free:
            set_bits(self.never_free, first, last)
        self.existing = self.never_free[:]
        self.words = array("Q", [0]) * self.length
        self.free_frames = 0
        # Words below the frontier were searched already: those of them that hold a free frame again are `reopened`.
        self.frontier = 0
        self.reopened = SortedSet()

    def add(self, first: int, last: int) -> None:
        """Adds frames first to last - 1 at boot, none of which exists: now they do, and are free.

        Frames outside the bitmap are ignored; if last <= first there are none. All calls come before the first
        allocation.

        pre: not any(self.exists(frame) for frame in range(max(first, 0), min(last, self.frames)))
        pre: self.frontier == 0 and all(self.exists(f) == (self.is_never_free(f) or self.is_free(f)) for f in range(self.frames))
        post: all(self.exists(f) == (__old__.self.exists(f) or first <= f < last) for f in range(self.frames))
        post: all(self.is_free(f) == (self.exists(f) and not self.is_never_free(f)) for f in range(self.frames))
        post: self.count() == __old__.self.count() + max(0, min(last, self.frames) - max(first, 0))
        """  # noqa: E501
        self._make_free(max(first, 0), min(last, self.frames))

    def hotplug(self, first: int, last: int) -> bool:
        """Adds frames first to last - 1 at any time, memory that turns up: they exist and are free.

        False, and nothing changes, if one of them exists or is free. Frames outside the bitmap are ignored; if
        last <= first there are none.

        post: __return__ == (not any(__old__.self.exists(f) or __old__.self.is_free(f) for f in range(max(first, 0), min(last, self.frames))))
        post: all(self.exists(f) == (__old__.self.exists(f) or __return__ and first <= f < last) for f in range(self.frames))
        post: all(self.is_free(f) == (__old__.self.is_free(f) or __return__ and first <= f < last) for f in range(self.frames))
        post: self.count() == sum(self.is_free(f) for f in range(self.frames))
        """  # noqa: E501
        first, last = max(first, 0), min(last, self.frames)
        if lowest_bit(self.existing, 1, first, last) is not None or lowest_bit(self.words, 1, first, last) is not None:
            return False
        self._make_free(first, last)
        word = first // BITS
        while first < last and word < self.frontier and word * BITS < last:
            word = self._reopen(word)
        return True

    def exists(self, frame: int) -> bool:
        """Whether the machine has this frame: it is usable memory, or never free.

        post: __return__ == (0 <= frame < self.frames and self.existing[frame // 64] // 2 ** (63 - frame % 64) % 2 == 1)
        post: __return__ or not self.is_never_free(frame)
        """
        return 0 <= frame < self.frames and self.existing[frame // BITS] & (FIRST_BIT >> frame % BITS) != 0

    def is_never_free(self, frame: int) -> bool:
        """Whether this frame was put aside.

        post: __return__ == (0 <= frame < self.frames and self.never_free[frame // 64] // 2 ** (63 - frame % 64) % 2 == 1)
        """  # noqa: E501
        return 0 <= frame < self.frames and self.never_free[frame // BITS] & (FIRST_BIT >> frame % BITS) != 0

    def is_free(self, frame: int) -> bool:
        """Whether `allocate` may hand this frame out.

        post: __return__ == (0 <= frame < self.frames and self.words[frame // 64] // 2 ** (63 - frame % 64) % 2 == 1)
        post: not __return__ or not self.is_never_free(frame) and (self.trusting or self.exists(frame))
        """
        return 0 <= frame < self.frames and self.words[frame // BITS] & (FIRST_BIT >> frame % BITS) != 0

    def count(self) -> int:
        """How many frames are free.

        post: __return__ == sum(self.is_free(frame) for frame in range(self.frames))
        """
        return self.free_frames

    def allocate(self) -> int | None:
        """Allocates the lowest free frame; None if no frame is free.

        post: __return__ == min((f for f in range(self.frames) if __old__.self.is_free(f)), default=None)
        post: all(self.is_free(f) == (__old__.self.is_free(f) and f != __return__) for f in range(self.frames))
        post: self.count() == __old__.self.count() - (__return__ is not None)
        post: self.existing == __old__.self.existing
        """
        word = self._lowest_word()
        if word is None:
            return None
        frame = word * BITS + (BITS - self.words[word].bit_length())
        self.take(frame)
        return frame

    def allocate_within(self, alignment: int, first: int, last: int) -> int | None:
        """Allocates the lowest free frame of first to last - 1 that is a multiple of the alignment, a power of two.

        None if there is none, or the alignment is another number. It looks at each word between the limits that has no
        free frame, and at each frame of one that has, until it comes to the one that it takes.

        post: __return__ == min((f for f in range(max(first, 0), min(last, self.frames)) if _may_serve(__old__.self, alignment, f)), default=None)
        post: all(self.is_free(f) == (__old__.self.is_free(f) and f != __return__) for f in range(self.frames))
        post: self.count() == __old__.self.count() - (__return__ is not None)
        post: self.existing == __old__.self.existing
        """  # noqa: E501
        if not is_power_of_two(alignment):
            return None
        word = self._lowest_word()
        if word is None:
            return None
        frame = lowest_bit(self.words, alignment, max(first, word * BITS), min(last, self.frames))
        if frame is not None:
            self.take(frame)
        return frame

    def take(self, frame: int) -> bool:
        """Allocates exactly this frame; False if it is not free.

        post: __return__ == __old__.self.is_free(frame)
        post: all(self.is_free(f) == (__old__.self.is_free(f) and f != frame) for f in range(self.frames))
        post: self.count() == __old__.self.count() - __return__
        post: self.existing == __old__.self.existing
        """
        if not 0 <= frame < self.frames:
            return False
        word, bit = frame // BITS, FIRST_BIT >> frame % BITS
        content = self.words[word]
        if not content & bit:
            return False
        self.words[word] = content ^ bit
        self.free_frames -= 1
        if word < self.frontier and content == bit:
            self.reopened.remove(word)
        return True

    def reserve(self, first: int, last: int) -> bool:
        """Allocates just frames first to last - 1; False, and nothing changes, if one is not free or there are none.

        post: __return__ == (first < last and all(__old__.self.is_free(f) for f in range(first, last)))
        post: all(self.is_free(f) == (__old__.self.is_free(f) and not (__return__ and first <= f < last)) for f in range(self.frames))
        post: self.count() == __old__.self.count() - (last - first) * __return__
        post: self.existing == __old__.self.existing
        """  # noqa: E501
        if not 0 <= first < last <= self.frames or lowest_clear_bit(self.words, first, last) is not None:
            return False
        set_bits(self.words, first, last, 0)
        self.free_frames -= last - first
        word = first // BITS
        while word < self.frontier and word * BITS < last:
            word = self._close(word)
        return True

    def free(self, frame: int) -> bool:
        """Frees an allocated frame; False if the law refuses.

        Checked: the frame exists, is allocated and may be free. Trusting: any frame of the bitmap is freed, except
        those that are never free.

        post: not __return__ or 0 <= frame < self.frames and not self.is_never_free(frame)
        post: not __return__ or self.trusting or self.exists(frame) and not __old__.self.is_free(frame)
        post: __return__ or not 0 <= frame < self.frames or self.is_never_free(frame) or not self.trusting and (not self.exists(frame) or __old__.self.is_free(frame))
        post: all(self.is_free(f) == (__old__.self.is_free(f) or __return__ and f == frame) for f in range(self.frames))
        post: self.count() == __old__.self.count() + (self.is_free(frame) and not __old__.self.is_free(frame))
        post: self.existing == __old__.self.existing
        """  # noqa: E501
        if not 0 <= frame < self.frames:
            return False
        word, bit = frame // BITS, FIRST_BIT >> frame % BITS
        if self.never_free[word] & bit:
            return False
        if self.words[word] & bit:
            return self.trusting
        if not (self.trusting or self.existing[word] & bit):
            return False
        self.words[word] |= bit
        self.free_frames += 1
        if word < self.frontier:
            self.reopened.add(word)
        return True

    def _make_free(self, first: int, last: int) -> None:
        if first < last:
            set_bits(self.words, first, last)
            set_bits(self.existing, first, last)
            self.free_frames += last - first

    def _reopen(self, word: int) -> int:
        self.reopened.add(word)
        return word + 1

    def _close(self, word: int) -> int:
        if not self.words[word]:
            self.reopened.remove(word)
        return word + 1

    def _lowest_word(self) -> int | None:
        if self.reopened:
            lowest: int = self.reopened[0]
            return lowest
        while self.frontier < self.length and not self.words[self.frontier]:
            self._advance()
        return self.frontier if self.frontier < self.length else None

    def _advance(self) -> None:
        self.frontier += 1


def set_bits(words: MutableSequence[int], first: int, last: int, to: int = ALL_BITS) -> None:
    """Sets bits first to last - 1 of a bitmap, whole words at a time, or clears them. to: a word of such bits.

    pre: 0 <= first < last <= 64 * len(words) and to in (0, 2 ** 64 - 1)
    post: all(words[bit // 64] // 2 ** (63 - bit % 64) % 2 == to % 2 for bit in range(first, last))
    post: not any((words[b // 64] ^ __old__.words[b // 64]) >> 63 - b % 64 & 1 for b in range(first))
    post: not any((words[b // 64] ^ __old__.words[b // 64]) >> 63 - b % 64 & 1 for b in range(last, 64 * len(words)))
    """
    head, tail = first // BITS, last // BITS
    before_head, before_tail = ALL_BITS >> first % BITS, ALL_BITS >> last % BITS
    if head == tail:
        words[head] ^= (words[head] ^ to) & (before_head ^ before_tail)
        return
    words[head] ^= (words[head] ^ to) & before_head
    words[head + 1 : tail] = array("Q", [to]) * (tail - head - 1)
    if last % BITS:
        words[tail] ^= (words[tail] ^ to) & (ALL_BITS ^ before_tail)


def lowest_bit(words: Sequence[int], alignment: int, first: int, last: int) -> int | None:
    """The lowest bit of first to last - 1 that is set, and is a multiple of the alignment; None if there is none.

    pre: 0 <= first and last <= 64 * len(words) and alignment in (1, 2, 4, 8, 16, 32, 64, 128)
    post: __return__ == min((b for b in range(first, last) if b % alignment == 0 and words[b // 64] >> 63 - b % 64 & 1), default=None)
    """  # noqa: E501
    bit = aligned_up(first, alignment)
    while bit < last and not words[bit // BITS] & (FIRST_BIT >> bit % BITS):
        bit = next_candidate(words, alignment, bit)
    return bit if bit < last else None


def next_candidate(words: Sequence[int], alignment: int, bit: int) -> int:
    """The multiple of the alignment to look at after a bit that is not set: the next one, or past a word without any.

    pre: 0 <= bit < 64 * len(words) and alignment in (1, 2, 4, 8, 16, 32, 64, 128)
    post: __return__ > bit and __return__ % alignment == 0
    post: not any(words[b // 64] >> 63 - b % 64 & 1 for b in range(bit + 1, min(__return__, 64 * len(words))) if b % alignment == 0)
    """  # noqa: E501
    return aligned_up(bit + 1 if words[bit // BITS] else (bit // BITS + 1) * BITS, alignment)


def lowest_clear_bit(words: Sequence[int], first: int, last: int) -> int | None:
    """The lowest bit of first to last - 1 that is not set; None if there is none.

    pre: 0 <= first and last <= 64 * len(words)
    post: __return__ == min((b for b in range(first, last) if not words[b // 64] >> 63 - b % 64 & 1), default=None)
    """
    bit = first
    while bit < last and words[bit // BITS] & (FIRST_BIT >> bit % BITS):
        bit = after_set_bit(words, bit)
    return bit if bit < last else None


def after_set_bit(words: Sequence[int], bit: int) -> int:
    """The bit to look at after one that is set: the next one, or past a word in which all are.

    pre: 0 <= bit < 64 * len(words)
    post: __return__ > bit
    post: all(words[b // 64] >> 63 - b % 64 & 1 for b in range(bit + 1, min(__return__, 64 * len(words))))
    """
    return bit + 1 if words[bit // BITS] != ALL_BITS else (bit // BITS + 1) * BITS


def aligned_up(number: int, alignment: int) -> int:
    """The lowest multiple of the alignment, a power of two, that is not below a number.

    pre: 0 <= number and alignment in (1, 2, 4, 8, 16, 32, 64, 128)
    post: __return__ % alignment == 0 and number <= __return__ < number + alignment
    """
    above = number + alignment - 1
    return above - (above & alignment - 1)


def is_power_of_two(number: int) -> bool:
    """Whether a number is a power of two, as alignments are.

    post: __return__ == any(number == 1 << shift for shift in range(number.bit_length()))
    """
    return 0 < number and number & number - 1 == 0


# Helpers of the contracts


def _may_serve(bitmap: Bitmap, alignment: int, frame: int) -> bool:
    """Whether `allocate_within` may give this frame, but for its limits."""
    return is_power_of_two(alignment) and frame % alignment == 0 and bitmap.is_free(frame)
