"""Hazards of the manager: what goes wrong if callers keep only half of their contract.

Mapping and the allocators are independent. So the contract asks callers for two things: to map only what is allocated,
and to free only what is not mapped. Either alone is not enough.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from memoracle.proofs.exhaustive.finite_states import Domain
from memoracle.proofs.exhaustive.law_search import Variant
from memoracle.spec import bitmap, manager_gets, manager_law, manager_mappings, paging
from memoracle.spec import manager as law
from memoracle.spec.clauses import Clause, Operation, Truth, clause, implies

SCOPE = "bounded: two frames, the kernel and a process, a page of each"
FRAMES, PROCESSES, SHIFT = range(1, 3), (0, 1), 12
START = 0xFFFF_8000_0000_0000
PAGES = (0, START)


# Of which frames, kernel pages and pages a function says anything: of tables, of what is mapped.
MATTERS: dict[str, Callable[[law.Memory, tuple[int, ...]], Truth]] = {
    "owner": lambda s, at: s.use(at[0]) == law.TABLE,
    "page_of": lambda s, at: s.use(at[0]) == law.PAGES,
    "frame_at": lambda s, at: law.is_kernel_page(s, at[0]),
    **dict.fromkeys(("physical", "number_of"), lambda s, at: s.is_mapped(at[0], at[1])),
    **dict.fromkeys(("space_numbered", "page_numbered"), lambda s, at: at[1] < s.uses(at[0])),
}


DOMAIN = Domain(
    {
        **dict.fromkeys(("frame", "table", "later"), FRAMES),
        **dict.fromkeys(("process", "other", "space"), PROCESSES),
        **dict.fromkeys(("page", "virtual"), PAGES),
        **dict.fromkeys(("kernel_page", "first", "second"), (0,)),
        "physical": [frame << SHIFT for frame in FRAMES],
        "number": range(3),
        "pages": (1,),
        "cache": (law.WRITE_BACK,),
        **dict.fromkeys(("writable", "executable"), (1,)),
        "global_": (0,),
    },
    {
        **dict.fromkeys(("is_free", "use", "owner", "callers_kept_contract", "page_of", "gets"), ("frame",)),
        **dict.fromkeys(("is_mapped", "physical", "number_of"), ("space", "page")),
        "uses": ("physical",),
        **dict.fromkeys(("space_numbered", "page_numbered"), ("physical", "number")),
        "lives": ("process",),
        **dict.fromkeys(("taken", "block_of"), ("process", "kernel_page")),
        "size_at": ("process", "first"),
        **dict.fromkeys(("block_at", "pages_at"), ("first",)),
        "frame_at": ("kernel_page",),
    },
    MATTERS,
)


def start(frames: int = len(FRAMES)) -> law.Memory:
    """Before the memory map is read.  frames: how many there may be beside frame 0, which is never free."""
    mappings = paging.unmapped(SHIFT, 40, 0x0007_0406_0007_0406, frames + 1 << SHIFT)
    return law.booted(bitmap.empty(frames + 1, lambda frame: frame == 0), mappings, START, 1, lambda kernel_page: False)


@clause("the frame has no get yet")
def has_no_get_yet(s: law.Memory, frame: int) -> Truth:
    return law.no_get_is_left(s, frame)


# The law's operations, with one get of a frame at most: else there are states without end.
_ONE_GET = replace(manager_gets.get, guard=(*manager_gets.get.guard, has_no_get_yet))
FINITE = tuple(_ONE_GET if each is manager_gets.get else each for each in manager_law.OPERATIONS)


def whole() -> Variant:
    """The law itself, of a single frame, with one get of it at most."""
    domain = replace(
        DOMAIN, points={**DOMAIN.points, **dict.fromkeys(("frame", "table", "later"), (1,)), "physical": (1 << SHIFT,)}
    )
    return Variant(start(), FINITE, (*law.INVARIANTS, *law.GUARANTEED, *manager_law.THEOREMS), domain)


@clause("no frame that is handed out is mapped")
def hands_out_no_mapped_frame(s: law.Memory, frame: int) -> Truth:
    return implies(bitmap.allocates_only_free(s, frame), law.nothing_maps_it(s, frame))


def contract_half_kept(operation: Operation, asked: Clause) -> Variant:
    """Callers keep their contract in one operation, and not in the other."""
    strict = replace(operation, guard=(*operation.guard, asked))
    operations = (law.allocate, law.free, manager_mappings.map_page, manager_mappings.unmap)
    chosen = [strict if each.name == operation.name else each for each in operations]
    s = start()
    for frame in FRAMES:
        s = law.add(s, frame)
    return Variant(s, chosen, (hands_out_no_mapped_frame,), DOMAIN, then=law.allocate)


def mapping_allocated() -> Variant:
    return contract_half_kept(manager_mappings.map_page, manager_mappings.maps_only_allocated)


def freeing_unmapped() -> Variant:
    return contract_half_kept(law.free, law.nothing_maps_it)
