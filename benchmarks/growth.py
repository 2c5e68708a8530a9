"""What a component's proof costs as the largest size that it speaks of grows; and the peer, which tries every state.

A proof is about every size up to the largest, and tries none: only the bits of its unknown numbers become more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import product
from types import ModuleType
from unittest.mock import patch

from memoracle.impl import pat as pat_code
from memoracle.impl.boot import Record, usable_pages
from memoracle.proofs import registry
from memoracle.proofs.components.bitmap import code as bitmap_code
from memoracle.proofs.components.bitmap import law as bitmap_law
from memoracle.proofs.components.bitmap import symbolic_bitmap
from memoracle.proofs.components.buddy import law as buddy_law
from memoracle.proofs.components.buddy import spaces as buddy_spaces
from memoracle.proofs.components.buddy import symbolic_buddy
from memoracle.proofs.components.manager import law as manager_law
from memoracle.proofs.components.runs import law as runs_law
from memoracle.proofs.counting.buddy_census import census
from memoracle.proofs.counting.counts import bitmap_run
from memoracle.proofs.exhaustive import manager_hazards
from memoracle.proofs.exhaustive import paging as small_paging
from memoracle.proofs.exhaustive import places as small_places
from memoracle.proofs.exhaustive.finite_states import Domain
from memoracle.proofs.exhaustive.hazards import DOMAIN
from memoracle.proofs.exhaustive.law_search import Variant, reached
from memoracle.proofs.obligations.discharge import discharge
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.spec import heap, kernel_half, paging, runs
from memoracle.spec.pat import TYPES, WRITE_BACK

BITS = (4, 13, 26, 52)


class NotProvedError(AssertionError):
    """An obligation that holds of every size was not proved of a smaller one."""


@dataclass(frozen=True)
class Growth:
    """One component's proofs.

    of: what their size is.  obligations: which are measured, by the beginning of their names.  bound: where the largest
    size stands.  largest: those that are set; none if the proofs have none.  states: the peer, which returns how many
    states there are of one size.  tried: its sizes.

    Which hypotheses each proof needs is noted of the size that stands there; with another, a proof may take all.
    """

    component: str
    of: str
    obligations: tuple[str, ...]
    bound: Sequence[tuple[ModuleType, str]]
    largest: Sequence[int]
    states: Callable[[int], int]
    tried: Sequence[int]


@dataclass(frozen=True)
class Cost:
    """rlimit: the solver's own count of what it did.  states: those tried. Each is None where there is none."""

    size: str
    seconds: float
    rlimit: int | None = None
    states: int | None = None


def boot_states(records: int) -> int:
    """The memory maps of so many short records, all of them tried on the code."""
    each = [Record(start, length, kind) for start in range(4) for length in range(4) for kind in (1, 2)]
    return len([usable_pages([*memory_map], 1) for memory_map in product(each, repeat=records)])


def half_states(processes: int) -> int:
    """The states of the kernel half that so many processes reach, with one entry of two values."""
    named = ("process", "other", "anyone")
    domain = replace(DOMAIN, points={**DOMAIN.points, **dict.fromkeys(named, range(processes))})
    run = Variant(kernel_half.blank(), kernel_half.OPERATIONS, kernel_half.INVARIANTS, domain)
    return sum(1 for _ in reached(run))


def pat_states(entries: int) -> int:
    """The values of the register in which so many entries are any type, all of them tried on the code."""
    values = (int.from_bytes(kinds, "little") for kinds in product(TYPES, repeat=entries))
    return sum(pat_code.accepts(value) for value in values)


def paging_states(pages: int) -> int:
    """What two processes can map in so many pages, with two frames and one way to map them."""
    ways = {"cache": (WRITE_BACK,), "writable": (1,), "executable": (1,), "global_": (0,)}
    places = dict.fromkeys(("page", "virtual"), small_paging.PAGES[:pages])
    domain = replace(small_paging.DOMAIN, points={**small_paging.DOMAIN.points, **places, **ways})
    layout, shift = small_paging.LAYOUT, small_paging.SHIFT
    start = paging.unmapped(shift, *layout, small_paging.FRAMES << shift)
    return sum(1 for _ in reached(Variant(start, paging.OPERATIONS, (), domain)))


def heap_states(addresses: int) -> int:
    """The blocks of one or two bytes that can live at so many addresses."""
    points = dict.fromkeys(("address", "byte", "block", "other"), range(1, addresses + 1))
    functions = {"is_live": ("block",), "size": ("block",), "block_at": ("byte",)}
    domain = Domain({**points, "size": (1, 2), "alignment": (1,)}, functions, {"size": lambda s, at: s.is_live(*at)})
    return sum(1 for _ in reached(Variant(heap.nothing(12, 1), heap.OPERATIONS, (), domain)))


def runs_states(places: int) -> int:
    """What so many places can be: each missing, free or in use."""
    operations = (runs.add, runs.reserve, runs.free)
    return sum(1 for _ in reached(Variant(runs.empty(places), operations, (), small_places.domain(places))))


def manager_states(frames: int) -> int:
    """What so many frames can be used for by a kernel of one page and no process, with one get of each at most."""
    numbers = range(1, frames + 1)
    points = {
        **manager_hazards.DOMAIN.points,
        **dict.fromkeys(("frame", "table", "later"), numbers),
        **dict.fromkeys(("process", "other", "space"), (0,)),
        **dict.fromkeys(("page", "virtual"), (manager_hazards.START,)),
        "physical": [frame << manager_hazards.SHIFT for frame in numbers],
    }
    domain = replace(manager_hazards.DOMAIN, points=points)
    return sum(1 for _ in reached(Variant(manager_hazards.start(frames), manager_hazards.FINITE, (), domain)))


GROWTHS = (
    Growth(
        "buddy",
        "depth",
        ("buddy.split.", "buddy.merge."),
        [(module, "DEEPEST") for module in (buddy_law, symbolic_buddy, buddy_spaces)],
        BITS,
        lambda depth: census(depth).states,
        (1, 2, 3),
    ),
    Growth(
        "bitmap",
        "frames",
        ("bitmap.allocate.keeps-", "bitmap.free.keeps-"),
        [(module, "MOST_FRAMES") for module in (bitmap_law, symbolic_bitmap, bitmap_code)],
        [1 << bits for bits in BITS],
        lambda frames: bitmap_run(frames)[0],
        (4, 8, 12),
    ),
    Growth(
        "boot",
        "records",
        ("boot.beside.", "boot.without."),
        [],
        [],
        boot_states,
        (1, 2, 3),
    ),
    Growth(
        "kernel_half",
        "processes",
        ("kernel_half.create.", "kernel_half.copy-to-one."),
        [],
        [],
        half_states,
        (1, 2, 3, 4),
    ),
    Growth(
        "pat",
        "entries of any type",
        ("pat.decode.", "pat.select."),
        [],
        [],
        pat_states,
        (2, 4, 6),
    ),
    Growth(
        "paging",
        "pages",
        ("paging.map.keeps-", "paging.unmap.keeps-"),
        [],
        [],
        paging_states,
        (1, 2, 3),
    ),
    Growth(
        "heap",
        "addresses",
        ("heap.new.keeps-", "heap.delete.keeps-"),
        [],
        [],
        heap_states,
        (2, 4, 6),
    ),
    Growth(
        "runs",
        "places",
        ("runs.reserve.keeps-", "runs.free.keeps-"),
        [(runs_law, "MOST_PLACES")],
        [1 << bits for bits in BITS],
        runs_states,
        (2, 3, 4),
    ),
    Growth(
        "manager",
        "frames",
        ("manager.allocate.keeps-", "manager.free.keeps-", "manager.extend-pages.keeps-"),
        [(manager_law, "MOST_PAGES")],
        [1 << bits for bits in BITS],
        manager_states,
        (1, 2, 3),
    ),
)


def costs(growth: Growth) -> Iterator[Cost]:
    """Of the proofs for each largest size, then of the peer for each of its sizes; raises NotProvedError."""
    for size in growth.largest:
        with ExitStack() as bounds:
            for module, name in growth.bound:
                bounds.enter_context(patch.object(module, name, size))
            yield proved(growth, f"any up to {size:,}")
    if not growth.largest:
        yield proved(growth, "any")
    for size in growth.tried:
        started = time.perf_counter()
        states = growth.states(size)
        yield Cost(f"{size:,}", time.perf_counter() - started, states=states)


def proved(growth: Growth, size: str) -> Cost:
    """What the obligations cost where nothing is remembered of earlier proofs."""
    started, rlimit = time.perf_counter(), 0
    for obligation in registry.obligations([growth.component]):
        if isinstance(obligation, Obligation) and obligation.name.startswith(growth.obligations):
            result = discharge(obligation, use_cache=False)
            if result.verdict != "proved":
                raise NotProvedError(f"{result.name} is {result.verdict} of {size} {growth.of}")
            rlimit += result.rlimit
    return Cost(size, time.perf_counter() - started, rlimit=rlimit)
