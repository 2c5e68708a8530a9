"""A small heap to run exhaustively, of pages of 64 bytes, and the hazard of a heap that keeps no note in reserve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

from memoracle.impl.heap import Heap
from memoracle.proofs.exhaustive.explore import Call, Part, Question, System
from memoracle.proofs.exhaustive.finite_states import Domain, Values
from memoracle.proofs.exhaustive.law_search import Variant
from memoracle.proofs.exhaustive.snapshots import duplicate
from memoracle.spec import heap as law
from memoracle.spec.clauses import Clause, Number, Operation, Truth, clause

PAGE, SHIFT = 64, 6


class FewPages:
    """Hands out a few pages from page 1 on, the lowest first, and takes back only what it handed out."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.out: dict[int, int] = {}
        self.refused = False

    def allocate_pages(self, pages: int) -> int | None:
        taken = {page + more for page, many in self.out.items() for more in range(many)}
        for first in range(1, self.most - pages + 2):
            if not taken & set(range(first, first + pages)):
                self.out[first] = pages
                return first << SHIFT
        self.refused = True
        return None

    def free_pages(self, address: int, pages: int) -> bool:
        if self.out.get(address >> SHIFT) != pages or address % PAGE:
            raise ValueError(f"{pages} pages at {address:#x} were not handed out")
        del self.out[address >> SHIFT]
        return True


class SmallHeap(Heap):
    """A heap that remembers what was asked for, as its law does.

    most: pages.  asked: the sizes of blocks that are asked for.  aligned: the alignments that are, besides none.
    blocks: how many are live at a time, at most.  resizes: whether blocks are resized.
    """

    def __init__(
        self,
        most: int,
        *classes: int,
        asked: Sequence[int] = (0, 8, 40),
        aligned: Sequence[int] = (),
        blocks: int = 8,
        resizes: bool = True,
    ) -> None:
        self.few = FewPages(most)
        self.sizes: dict[int, int] = {}
        self.alignments: dict[int, int] = {}
        self.asked, self.aligned, self.blocks, self.resizes = tuple(asked), tuple(aligned), blocks, resizes
        super().__init__(self.few, classes, PAGE, None)

    def new(self, size: int, alignment: int = 1) -> int | None:
        self.few.refused = False
        address = super().new(size, alignment)
        if address is not None:
            self.sizes[address], self.alignments[address] = size, alignment
        return address

    def delete(self, address: int) -> bool:
        done = super().delete(address)
        if done and address:
            del self.sizes[address], self.alignments[address]
        return done

    def resize(self, address: int, size: int, alignment: int = 1) -> int | None:
        self.few.refused = False
        moved = super().resize(address, size, alignment)
        if moved is not None:
            self.sizes[moved], self.alignments[moved] = size, alignment
        return moved


@clause("pages were to be had")
def pages_were_left(s: law.Heap, size: int) -> Truth:
    return False


WITHOUT_PAGES = {
    operation: replace(operation, guard=(pages_were_left, *operation.guard)) for operation in (law.new, law.resize)
}


def heap_part(heap: SmallHeap) -> Part:
    places = range(0, (heap.few.most + 1) * PAGE, 8)  # a block that has bytes has the first of 8
    points = dict.fromkeys(("byte", "block", "other", "address"), places) | {"size": heap.asked, "alignment": (1, 8)}
    functions = {"is_live": ("block",), "size": ("block",), "aligned_to": ("block",)}
    of_live = dict.fromkeys(("size", "aligned_to"), lambda s, at: s.is_live(*at))
    domain = Domain(points, functions, of_live)

    def is_live(address: Any) -> bool:
        return heap.extent(address) is not None

    def size(address: Any) -> int:
        return heap.sizes.get(address, 0)

    def aligned_to(address: Any) -> int:
        named = heap.alignments.get(address, 1)
        return alignment_of(size(address)) if named == 1 else named

    def block_at(byte: Number) -> int:
        return next((a for a, size in heap.sizes.items() if a <= byte < a + size), 0)

    state = law.Heap(
        page_shift=SHIFT,
        alignment=law.NATURAL,
        is_live=is_live,
        size=size,
        block_at=block_at,
        aligned_to=aligned_to,
    )
    return Part(state, domain, law.INVARIANTS, words, shows)


def alignment_of(size: int) -> int:
    """Of a size, in any state of a small heap."""
    due = law.alignment_of(law.nothing(SHIFT, law.NATURAL), size)
    assert isinstance(due, int)
    return due


def live(state: law.Heap, most: int = 8) -> dict[int, Number]:
    return {address: state.size(address) for address in range(0, (most + 1) * PAGE, 8) if state.is_live(address)}


def words(state: law.Heap) -> str:
    said = [f"{size} bytes at {address:#x}" for address, size in live(state).items()]
    return ", ".join(said) or "no block is live"


def shows(state: law.Heap) -> list[str]:
    return [f"assert [a for a in range(0, {8 * PAGE}, 8) if heap.extent(a) is not None] == {list(live(state))}"]


def has_room(heap: SmallHeap, size: int, alignment: int) -> bool:
    """Whether a slab of the class that serves this size has a free object, so that no page is needed."""
    slot = heap.slot_for(size, alignment)
    return any(slab.layout.slot_shift == slot and not slab.is_full() for slab in heap.slabs.values())


def heap_calls(heap: SmallHeap) -> Sequence[Call | Question]:
    state = heap_part(heap).state
    calls: list[Call | Question] = []
    for size, named in product(heap.asked, (None, *heap.aligned)):
        asked = {"size": size, "alignment": alignment_of(size) if named is None else named}
        arguments = (size,) if named is None else (size, named)
        needs_pages = not has_room(heap, size, 1 if named is None else named)
        more = len(heap.sizes) < heap.blocks
        if more:
            calls.append(call_of(heap, law.new, "new", arguments, asked, needs_pages))
        for block in (*heap.sizes, PAGE, *((0,) if more else ())) if heap.resizes else ():
            moves = not law.may_stay(state, block, size, asked["alignment"])
            given = asked | {"block": block}
            calls.append(call_of(heap, law.resize, "resize", (block, *arguments), given, needs_pages and moves))
    for address in range(0, (heap.few.most + 1) * PAGE, 8):
        run = partial(lambda heap, address: heap.delete(address), address=address)
        calls.append(Call(f"@.delete({address})", run, law.delete, {"address": address}))
    return calls


def call_of(
    heap: SmallHeap, operation: Operation, method: str, arguments: tuple[int, ...], asked: Values, needs_pages: bool
) -> Call:
    """A call that may fail if it needs pages that are not to be had."""
    run: Callable[[Any], object] = lambda heap: getattr(heap, method)(*arguments)  # noqa: E731
    trial = duplicate(heap) if needs_pages else heap
    is_short = needs_pages and run(trial) is None and trial.few.refused
    allowed = WITHOUT_PAGES[operation] if is_short else operation
    said = ", ".join(map(str, arguments))
    return Call(f"@.{method}({said})", run, allowed, asked, answers="address")


def heap_system() -> System:
    starts = {
        "SmallHeap(2, 8, asked=(8, 40), resizes=False)": partial(SmallHeap, 2, 8, asked=(8, 40), resizes=False),
        "SmallHeap(3, 16)": partial(SmallHeap, 3, 16),
        "SmallHeap(4, 8, 16, asked=(8, 16), blocks=3, resizes=False)": partial(
            SmallHeap, 4, 8, 16, asked=(8, 16), blocks=3, resizes=False
        ),
        "SmallHeap(3, 8, 16, asked=(8,), aligned=(3, 16), blocks=2)": partial(
            SmallHeap, 3, 8, 16, asked=(8,), aligned=(3, 16), blocks=2
        ),
        "SmallHeap(4, asked=(70,), aligned=(128,), blocks=2)": partial(
            SmallHeap, 4, asked=(70,), aligned=(128,), blocks=2
        ),
    }
    scope = (
        "bounded: pages of 64 bytes: 2 with a class of 8 bytes, blocks of 8 and 40; 3 with a class of 16, blocks of 0, "
        "8 and 40, which are resized; 4 with both classes, blocks of 8 and 16, at most 3 at a time; 3 with both, "
        "blocks of 8 at multiples of 16, and 4 with none, blocks of 70 at multiples of 128, at most 2 at a time"
    )
    imports = "from memoracle.proofs.exhaustive.heap import SmallHeap"
    return System("heap", scope, imports, "heap", starts, lambda heap: {"": heap_part(heap)}, heap_calls)


# The hazard


def without_reserve() -> Variant:
    """Pages are allocated with any note that is left, even the last."""
    return reserve_variant(replace(law.get_pages, guard=(law.a_note_is_spare,)))


def reserve_variant(get: Operation = law.get_pages, clauses: Sequence[Clause] = ()) -> Variant:
    """Pages and pages of notes are got, in any order, until few notes are spare."""
    notes = replace(law.get_notes, guard=(law.has_a_note, few_are_spare))
    domain = Domain({"notes": (1, 2)}, {})
    return Variant(law.at_start(), (get, notes), clauses, domain, rests=law.leaves_a_note, awaited=(get, notes))


@clause("few notes are spare")
def few_are_spare(s: law.Reserve) -> Truth:
    return s.spare <= 2  # keeps the search finite
