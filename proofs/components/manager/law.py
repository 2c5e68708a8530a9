"""The manager's law for proofs: any state of it, the bounds of its numbers, and how two states are compared.

Its operations preserve its invariants. What the laws of the bitmap and of paging guarantee of their part of the state
is assumed (`law.GUARANTEED`), because it is proved of these components; that the manager keeps to their guards is
proved in `theorems.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial

import z3

from memoracle.proofs.components.paging.law import any_direct_end
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.obligation import Claims
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HypothesisPool, Sort
from memoracle.spec import bitmap, geometry_keys, manager_law, paging
from memoracle.spec import manager as law
from memoracle.spec.bitmap import Frames
from memoracle.spec.clauses import Number, implies
from memoracle.spec.paging import Mappings

PAGE_SHIFTS = tuple(geometry_keys.PAGE_SHIFTS.values())
MOST_DEPTH = 52  # the binary logarithm of
MOST_PAGES = 1 << MOST_DEPTH  # of a range, and frames of a machine
MOST_ADDRESSES = 1 << 84  # more than the bytes of any range of them
FRAME, KERNEL_PAGE = Sort("frame", MOST_PAGES), Sort("kernel page", MOST_PAGES)
SPACE, PAGE, PHYSICAL = Sort("space"), Sort("page", MOST_ADDRESSES), Sort("physical", MOST_ADDRESSES)
SORTS = {
    **dict.fromkeys(("frame", "table", "later"), FRAME),
    **dict.fromkeys(("kernel_page", "second"), KERNEL_PAGE),
    "first": Sort("first", MOST_PAGES),  # of kernel pages: few of the pages are
    **dict.fromkeys(("process", "other", "space"), SPACE),
    **dict.fromkeys(("page", "virtual"), PAGE),
    "physical": PHYSICAL,
    "number": Sort("number"),
    "pages": Sort("pages", MOST_PAGES),
    "cache": Sort("cache", 7),
    **dict.fromkeys(("writable", "executable", "global_"), Sort("truth", 1)),
}


def any_block(run: Run) -> tuple[object, ...]:
    """Any process, and any page at which a block of its range may begin."""
    at = tuple(run.point_of_each(("process", "first")).values())
    run.touch(("process", "kernel_page"), at)
    return at


OF_MAPPED = ("physical", "cache", "writable", "executable", "global_")  # what is said of a page that is mapped
OF_PAGE = (*OF_MAPPED, "is_mapped", "number_of")
GHOSTS = ("in_use", "callers_kept_contract", "number_of", "space_numbered", "page_numbered", "block_of", "page_of")
POINTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("exists", "is_free", "in_use", "free_below"), ("frame",)),
    **dict.fromkeys(OF_PAGE, ("space", "page")),
    "lives": ("process",),
    "uses": ("physical",),
    **dict.fromkeys(("space_numbered", "page_numbered"), ("physical", "number")),
    **dict.fromkeys(("use", "owner", "page_of", "callers_kept_contract", "gets"), ("frame",)),
    **dict.fromkeys(("taken", "block_of"), ("process", "kernel_page")),
    "size_at": ("process", "first"),
    **dict.fromkeys(("block_at", "pages_at"), ("first",)),
    "frame_at": ("kernel_page",),
}
FUNCTIONS = {
    **{name: law_obligations.any_point(*points) for name, points in POINTS.items()},
    "size_at": any_block,
}


def page_shift(run: HypothesisPool) -> int:
    """The binary logarithm of the size of a page: the proof is made for each size, on a path of its own."""
    assert isinstance(run, Run)
    for shift in PAGE_SHIFTS[:-1]:
        if run.decide(z3.Bool(f"pages of {1 << shift} bytes")):
            return shift
    return PAGE_SHIFTS[-1]


def unknown_frames(run: HypothesisPool) -> Frames:
    """The part of a state that is the bitmap's. Nothing is assumed of it yet."""
    return Frames(
        reach=run.number("reach", 1, MOST_PAGES),
        count=run.number("count", 0, MOST_PAGES),
        never_free=run.relation("never_free", "frame"),
        exists=run.relation("exists", "frame"),
        is_free=run.relation("is_free", "frame"),
        in_use=run.relation("in_use", "frame"),
        free_below=run.function("free_below", "frame", high=MOST_PAGES),
    )


def unknown_mappings(run: HypothesisPool, shift: Number, counted: Number) -> Mappings:
    """The part of a state that is the page tables'. Nothing is assumed of it yet."""
    return Mappings(
        page_shift=shift,
        physical_bits=run.number("physical_bits", 32, 52),
        pat_register=run.number("pat_register"),
        counted=counted,
        direct_start=run.number("direct_start"),
        direct_end=any_direct_end(run),
        lives=run.relation("lives", "process"),
        is_mapped=run.relation("is_mapped", "space", "page"),
        physical=run.function("physical", "space", "page", high=MOST_ADDRESSES, gives="physical"),
        cache=run.function("cache", "space", "page", high=7),
        writable=run.function("writable", "space", "page", high=1),
        executable=run.function("executable", "space", "page", high=1),
        global_=run.function("global", "space", "page", high=1),
        uses=run.function("uses", "physical"),
        number_of=run.function("number_of", "space", "page", gives="number"),
        space_numbered=run.function("space_numbered", "physical", "number", gives="space"),
        page_numbered=run.function("page_numbered", "physical", "number", high=MOST_ADDRESSES, gives="page"),
    )


def unknown(run: HypothesisPool, pages_of: Number | None = None) -> law.Memory:
    """Any number of frames, processes and kernel pages, used in any way. Nothing is assumed of them yet.

    pages_of: the binary logarithm of a page's size; by default, any.
    """
    frames, shift = unknown_frames(run), pages_of or page_shift(run)
    return law.Memory(
        **vars(frames),
        **vars(unknown_mappings(run, shift, frames.reach << shift)),
        kernel_start=run.number("kernel_start"),
        kernel_range=run.number("kernel_range", 1, MOST_PAGES),
        use=run.function("use", "frame", high=law.GIVEN),
        owner=run.function("owner", "frame", gives="process"),
        taken=run.relation("taken", "process", "kernel_page"),
        size_at=run.function("size_at", "process", "first", high=MOST_PAGES),
        block_of=run.function("block_of", "process", "kernel_page", high=MOST_PAGES, gives="first"),
        block_at=run.function("block_at", "first", high=MOST_PAGES),
        pages_at=run.function("pages_at", "first", high=MOST_PAGES),
        frame_at=run.function("frame_at", "kernel_page", high=MOST_PAGES, gives="frame"),
        page_of=run.function("page_of", "frame", high=MOST_PAGES, gives="kernel_page"),
        callers_kept_contract=run.relation("callers_kept_contract", "frame"),
        gets=run.function("gets", "frame"),
    )


def initial(run: HypothesisPool) -> law.Memory:
    """The initial state, in which no memory map has been read yet."""
    some = unknown(run)
    frames = bitmap.empty(some.reach, some.never_free)
    sizes = some.page_shift, some.physical_bits, some.pat_register, some.counted, some.direct_start, some.direct_end
    mappings = paging.unmapped(*sizes)
    return law.booted(frames, mappings, some.kernel_start, some.kernel_range, run.relation("reserved", "kernel_page"))


LAW = law_obligations.Law(
    "manager",
    SORTS,
    FUNCTIONS,
    unknown,
    initial,
    law.INVARIANTS,
    manager_law.OPERATIONS,
    manager_law.THEOREMS,
    integers=True,
    given=law.GUARANTEED,
    elsewhere=[field.name for part in (Frames, Mappings) for field in fields(part)],
)


proved = Claims("manager", SORTS, integers=True)


@dataclass(frozen=True)
class AnyPoints:
    """One unknown point of each kind, to compare states at: each claim about them holds of all such points."""

    frame: Number
    kernel_page: Number
    first: Number
    process: Number
    space: Number
    page: Number
    physical: Number


def any_points(run: Run) -> AnyPoints:
    """Such points, at which clauses that are given are instantiated."""
    points = AnyPoints(*(run.point(field.name) for field in fields(AnyPoints)))
    run.touch(("space", "page"), (points.space, points.page))
    run.touch(("process", "kernel_page"), (points.process, points.kernel_page))
    run.touch(("process", "kernel_page"), (points.process, points.first))
    return points


def assert_same_but_ghosts(
    run: Run, before: law.Memory, after: law.Memory, at: AnyPoints | None = None, but: Sequence[str] = ()
) -> None:
    """Claims that two states are the same, but for ghosts, and for what they say of things that do not exist.

    at: the points at which states are compared; by default, any.  but: parts that are not compared.
    """
    at = at or any_points(run)
    frame, kernel_page, page, space = at.frame, at.kernel_page, at.page, at.space
    same = before.owner(frame) == after.owner(frame)
    run.assert_goal("each table is whose it was", implies(law.holds_a_table(before, frame), same))
    same = before.frame_at(kernel_page) == after.frame_at(kernel_page)
    run.assert_goal(
        "each kernel page holds the frame that it held", implies(law.is_kernel_page(before, kernel_page), same)
    )
    for name in OF_MAPPED:
        same = getattr(before, name)(space, page) == getattr(after, name)(space, page)
        run.assert_goal(f"{name} of each page is what it was", implies(before.is_mapped(space, page), same))
    points = {name: tuple(getattr(at, point) for point in POINTS[name]) for name in POINTS if name not in GHOSTS}
    functions: dict[str, Callable[[Run], tuple[object, ...]]] = {
        name: partial(_constantly, values) for name, values in points.items()
    }
    alike = replace(LAW, functions=functions)
    law_obligations.same_state(run, alike, before, after, (*GHOSTS, *OF_MAPPED, "owner", "frame_at", *but))


def _constantly(points: tuple[object, ...], run: Run) -> tuple[object, ...]:
    return points
