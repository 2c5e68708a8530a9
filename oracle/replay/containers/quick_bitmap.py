"""The reference's bitmap, of which frames are taken and given back at less cost: no call for each step, no shifts."""

from __future__ import annotations

from memoracle.impl.bitmap import BITS, FIRST_BIT, Bitmap
from memoracle.replay.containers.min_heap_set import Lowest

WORD = BITS.bit_length() - 1  # a frame's number shifted by so much is that of its word
WITHIN = BITS - 1
BIT = [FIRST_BIT >> place for place in range(BITS)]


class QuickBitmap(Bitmap):
    """Stands in for a Bitmap, and does what that does."""

    def __init__(self, bitmap: Bitmap) -> None:
        """It takes the place of this one, whose words it has."""
        for name, value in vars(bitmap).items():  # one by one: an object whose dictionary was asked for is slower
            setattr(self, name, value)
        self.reopened = Lowest(bitmap.reopened)

    def take(self, frame: int) -> bool:
        if not 0 <= frame < self.frames:
            return False
        word, bit = frame >> WORD, BIT[frame & WITHIN]
        free = self.words[word]
        if not free & bit:
            return False
        self.words[word] = free ^ bit
        self.free_frames -= 1
        if free == bit and word < self.frontier:
            self.reopened.remove(word)
        return True

    def free(self, frame: int) -> bool:
        if not 0 <= frame < self.frames:
            return False
        word, bit = frame >> WORD, BIT[frame & WITHIN]
        free = self.words[word]
        if free & bit or self.trusting or self.never_free[word] & bit or not self.existing[word] & bit:
            return super().free(frame)
        self.words[word] = free | bit
        self.free_frames += 1
        if word < self.frontier:
            self.reopened.add(word)
        return True
