"""Proofs of the buddy system: the law keeps its invariants, and the code of `impl/buddy.py` is the law's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from memoracle.proofs import laws
from memoracle.proofs.obligations import Obligation
from memoracle.proofs.world import World
from memoracle.spec import buddy as law

DEEPEST = 52  # 2^52 pages of 4 KiB are all of a 64-bit address space
SORTS = {
    "page": "page",
    "order": "order",
    "block": "block",
    "level": "order",
    "merged": "order",
    "pages": "size",
    "other": "order",
}
BOUNDS = (("order", 63), ("level", 63), ("merged", 63), ("other", 63))


def unknown(run: World) -> law.Blocks:
    """Any state of a space of any depth, in which a block may be held."""
    depth = run.number("depth", 0, DEEPEST)
    held_order = run.number("held_order", 0, 63)
    held_page = run.number("held_page")
    holding = run.truth("holding")
    run.touch(("order",), (held_order,))
    run.touch(("page",), (held_page,))
    run.touch(("order",), (depth,))
    return law.Blocks(
        depth=depth,
        is_free=run.relation("is_free", "order", "block"),
        is_allocated=run.relation("is_allocated", "order", "block"),
        is_fixed=run.relation("is_fixed", "page"),
        holding=holding,
        held_order=held_order,
        held_page=held_page,
        order_at=run.function("order_at", "page", high=63, gives="order"),
    )


def initial(run: World) -> law.Blocks:
    return law.whole(unknown(run).depth)


def where_pages_part(run: World, values: dict[str, Any], points: dict[str, Any]) -> None:
    """Two pages lie in buddies of the order of the highest bit in which they differ."""
    if "page" in values and "page" in points:
        run.touch(("order",), ((values["page"] ^ points["page"]).bit_length() - 1,))


PROVED_DIRECTLY = (*law.STEPS, law.carve, law.fix, law.free)
LAW = laws.Law(
    "buddy", SORTS, unknown, initial, law.INVARIANTS, PROVED_DIRECTLY, law.THEOREMS, bounds=BOUNDS, hint=where_pages_part
)


def obligations() -> Iterator[Obligation]:
    yield from laws.obligations(LAW)
