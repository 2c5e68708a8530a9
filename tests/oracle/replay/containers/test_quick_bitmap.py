"""QuickBitmap, held against the reference's bitmap."""

from __future__ import annotations

import random

import pytest

from memoracle.impl.bitmap import Bitmap
from memoracle.replay.containers.quick_bitmap import QuickBitmap

FRAMES = 150  # the last word is not whole


def bitmap(trusting: bool) -> Bitmap:
    made = Bitmap(FRAMES, [(0, 2), (70, 71)], trusting)
    made.add(2, 60)
    made.add(71, 140)
    return made


@pytest.mark.parametrize("trusting", [False, True])
def test_it_does_what_the_reference_does(trusting: bool) -> None:
    chance, plain, quick = random.Random(1), bitmap(trusting), QuickBitmap(bitmap(trusting))
    for _ in range(3000):
        frame = chance.randrange(-2, FRAMES + 3)
        step = chance.choice(["take", "free", "allocate"] if chance.random() < 0.9 else ["take"])
        arguments = () if step == "allocate" else (frame,)
        assert getattr(quick, step)(*arguments) == getattr(plain, step)(*arguments)
        assert (quick.words, quick.free_frames, quick.frontier) == (plain.words, plain.free_frames, plain.frontier)
        assert sorted(quick.reopened) == [*plain.reopened]
    assert plain.frontier > 0
