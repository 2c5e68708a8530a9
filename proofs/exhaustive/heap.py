"""A small heap to run exhaustively, of pages of 64 bytes, and the hazard of a heap that keeps no note in reserve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from memoracle.impl.heap import Heap
from memoracle.proofs.exhaustive.explore import Call, Part, Question, System
from memoracle.proofs.exhaustive.finite_states import Domain
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
    """A heap that remembers the sizes asked for, as its law does.

    most: pages.  asked: the sizes of blocks that are asked for.  blocks: how many are live at a time, at most.
    """

    def __init__(self, most: int, *classes: int, asked: Sequence[int] = (0, 8, 40), blocks: int = 8) -> None:
        self.few = FewPages(most)
        self.sizes: dict[int, int] = {}
        self.asked, self.blocks = tuple(asked), blocks
        super().__init__(self.few, classes, PAGE, None)

    def new(self, size: int) -> int | None:
        self.few.refused = False
        address = super().new(size)
        if address is not None:
            self.sizes[address] = size
        return address

    def delete(self, address: int) -> bool:
        done = super().delete(address)
        if done and address:
            del self.sizes[address]
        return done


@clause("pages were to be had")
def pages_were_left(s: law.Heap, size: int) -> Truth:
    return False


WITHOUT_PAGES = replace(law.new, guard=(pages_were_left, *law.new.guard))


def heap_part(heap: SmallHeap) -> Part:
    places = range(0, (heap.few.most + 1) * PAGE, 8)  # a block that has bytes has the first of 8
    points = dict.fromkeys(("byte", "block", "other", "address"), places) | {"size": heap.asked, "alignment": (1, 8)}
    domain = Domain(points, {"is_live": ("block",)})

    def is_live(address: Any) -> bool:
        return heap.extent(address) is not None

    def size(address: Any) -> int:
        return heap.sizes.get(address, 0)

    def aligned_to(address: Any) -> int:
        return alignment_of(size(address))

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


def has_room(heap: SmallHeap, size: int) -> bool:
    """Whether a slab of the class that serves this size has a free object, so that no page is needed."""
    slot = heap.slot_for(size)
    return any(slab.layout.slot_shift == slot and not slab.is_full() for slab in heap.slabs.values())


def heap_calls(heap: SmallHeap) -> Sequence[Call | Question]:
    calls: list[Call | Question] = []
    for size in heap.asked if len(heap.sizes) < heap.blocks else ():
        trial = duplicate(heap)
        short = trial.new(size) is None and trial.few.refused and not has_room(heap, size)
        run: Callable[[object], object] = partial(lambda heap, size: heap.new(size), size=size)
        operation = WITHOUT_PAGES if short else law.new
        asked = {"size": size, "alignment": alignment_of(size)}
        calls.append(Call(f"@.new({size})", run, operation, asked, answers="address"))
    for address in range(0, (heap.few.most + 1) * PAGE, 8):
        given = partial(lambda heap, address: heap.delete(address), address=address)
        calls.append(Call(f"@.delete({address})", given, law.delete, {"address": address}))
    return calls


def heap_system() -> System:
    starts = {
        "SmallHeap(2, 8, asked=(8, 40))": partial(SmallHeap, 2, 8, asked=(8, 40)),
        "SmallHeap(3, 16)": partial(SmallHeap, 3, 16),
        "SmallHeap(4, 8, 16, asked=(8, 16), blocks=3)": partial(SmallHeap, 4, 8, 16, asked=(8, 16), blocks=3),
    }
    scope = (
        "bounded: pages of 64 bytes: 2 with a class of 8 bytes, blocks of 8 and 40; 3 with a class of 16, blocks of 0, "
        "8 and 40; 4 with both classes, blocks of 8 and 16, at most 3 at a time"
    )
    imports = "from memoracle.proofs.exhaustive.heap import SmallHeap"
    return System("heap", scope, imports, "heap", starts, lambda heap: {"": heap_part(heap)}, heap_calls)


def resizing_variant() -> Variant:
    """Of two addresses, every state of the law with blocks of up to two bytes, which may be resized."""
    points = dict.fromkeys(("address", "byte", "block", "other"), (1, 2)) | {"size": (0, 1, 2), "alignment": (1, 2)}
    functions = {"is_live": ("block",), "size": ("block",), "block_at": ("byte",)}
    domain = Domain(points, functions, {"size": lambda s, at: s.is_live(*at)})
    return Variant(law.nothing(SHIFT, 1, 1, 3), law.OPERATIONS, law.INVARIANTS, domain)


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
