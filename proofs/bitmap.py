"""Proofs of the bitmap: the law keeps its invariants, and the code of `impl/bitmap.py` is the law's."""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.proofs import laws
from memoracle.proofs.obligations import Obligation
from memoracle.proofs.world import Sort, World
from memoracle.spec import bitmap as law

MOST_FRAMES = 1 << 52  # of 4 KiB, in 64-bit addresses
FRAME = Sort("frame")
SORTS = {"frame": FRAME, "later": FRAME, "first": FRAME, "last": FRAME, "word": Sort("word")}
FUNCTIONS = dict.fromkeys(("exists", "is_free", "in_use", "free_below"), laws.any_point("frame"))


def unknown(run: World) -> law.Frames:
    """Any state: any number of frames, any image."""
    reach = run.number("reach", 1, MOST_FRAMES)
    image = run.number("image", 1, MOST_FRAMES)
    run.assume(image <= reach)
    run.touch(("frame",), (reach,))
    run.touch(("frame",), (0,))
    return law.Frames(
        reach=reach,
        image=image,
        count=run.number("count"),
        exists=run.relation("exists", "frame"),
        is_free=run.relation("is_free", "frame"),
        in_use=run.relation("in_use", "frame"),
        free_below=run.function("free_below", "frame"),
    )


def initial(run: World) -> law.Frames:
    """No frame exists but the image's."""
    state = unknown(run)
    return law.empty(state.reach, state.image)


LAW = laws.Law("bitmap", SORTS, FUNCTIONS, unknown, initial, law.CHECKED, law.OPERATIONS, law.THEOREMS, integers=True)


def obligations() -> Iterator[Obligation]:
    yield from laws.obligations(LAW)
