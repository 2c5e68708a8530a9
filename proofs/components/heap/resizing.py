"""Proofs of `resize`: a block stays where it is or moves, as a delete and a new in one.

Where it stays, the heap's containers are claimed to stand for the law's state. Where it moves, the code calls `new` and
`delete`, which are proved by themselves (`code.py`): stand-ins do to the law's state what was proved, and the code is
claimed to write nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.proofs.components.heap.address_arithmetic import places_are_addresses, proved, proved_of_code
from memoracle.proofs.components.heap.claims import all_contents, all_identical, is_the_laws
from memoracle.proofs.components.heap.code import any_alignment, any_size, share_a_slot, touch_bytes
from memoracle.proofs.components.heap.invariants import WHERE_THEY_STAY
from memoracle.proofs.components.heap.places import assume_arena, assume_lookup, assume_resized
from memoracle.proofs.components.heap.symbolic_heap import (
    CHANGING,
    SymbolicHeap,
    constants,
    is_run,
    keeps_constants,
    page_of,
)
from memoracle.proofs.components.heap.unknown_heap import unknown_code
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST
from memoracle.proofs.symbolic.withheld import Withheld
from memoracle.spec import heap as law
from memoracle.spec.bitmap import alignment_is_a_power_of_two
from memoracle.spec.clauses import Number, Truth, implies, neg, when


class MovingStandIn:
    """Stands in for `new` and `delete`: they do to a state of the law what `new_refines` and `delete_refines` prove.

    What the heap's containers then have is not known, so it is withheld.

    state: what the law says of the heap now.  asked: the size and the alignment of each block that was asked for.
    failed: whether one of them was not made.
    """

    def __init__(self, run: Run, heap: SymbolicHeap, state: law.Heap) -> None:
        self.run, self.heap, self.state = run, heap, state
        self.withheld = Withheld()
        self.asked: list[tuple[Number, Number]] = []
        self.failed = False
        run.replace(heap, "new", self.make_block)
        run.replace(heap, "delete", self.delete_block)

    def make_block(self, size: Number, alignment: Number) -> Number | None:
        run, before = self.run, self.state
        self.asked.append((size, alignment))
        self.withheld.take(self.heap, *CHANGING)
        if run.fresh_truth("fails"):
            self.failed = True
            return None
        with run.reading_law():
            address = run.point("address")
            for due in (alignment, law.alignment_of(before, size)):
                run.suppose(law.new.allows(before, size=size, alignment=due, address=address))
            run.assume_for_all(("byte",), lambda byte: law.is_disjoint(before, size, address, byte))
            self.state = law.new(before, size, alignment, address)
        return address

    def delete_block(self, address: Number) -> bool:
        before = self.state
        self.withheld.take(self.heap, *CHANGING)
        if not law.delete.allows(before, address=address):
            return False
        self.state = law.delete(before, address)
        return True


@proved_of_code(
    "resize.refines", "refinement", "the code of resize does what the law says, and fails only where new does"
)
def resize_refines(run: Run) -> None:
    heap, state = unknown_code(run)
    block, size, alignment = run.any_number("block"), any_size(run), any_alignment(run)
    constant, contents, moving = constants(heap), all_contents(heap), MovingStandIn(run, heap, state)
    assume_lookup(run, heap, block)
    assume_resized(run, heap, state, block, size, alignment)
    assume_arena(run, heap, block, size)
    address = run.call(heap.resize, block, size, alignment)
    moving.withheld.put_back()
    keeps_constants(run, heap, constant)
    run.assert_goal("nothing changes but by new and delete", all_identical(all_contents(heap), contents))
    run.assert_goal("a block is asked for once at most", len(moving.asked) <= 1)
    for asked in moving.asked:
        run.assert_goal("it is the one that is wanted", (asked[0] == size) & (asked[1] == alignment))
        moves = neg(has_room(heap, state, block, size, alignment))
        run.assert_goal("of a block that has room where it is, none is", moves)
    if address is None:
        run.assert_goal("the block is as it was", moving.state is state)
        is_live = law.resizes_a_live_block(state, block)
        run.assert_goal("it fails only where no block is live, or no new one can be had", neg(is_live) | moving.failed)
        aligned = alignment_is_a_power_of_two(state, alignment)
        run.assert_goal("a block that may stay does", neg(law.may_stay(state, block, size, alignment) & aligned))
        return
    for due in (alignment, law.alignment_of(state, size)):
        points = {"block": block, "size": size, "alignment": due, "address": address}
        for clause in law.resize.guard:
            if clause is law.is_disjoint_once_resized:
                continue  # see `resized_is_disjoint`
            run.assert_goal(clause.says, clause(state, *(points[point] for point in clause.points)))
    after = law.resize(state, block, size, alignment, address)
    if moving.asked:
        stands_for(run, moving.state, after)
        return
    run.assert_and_assume("a block has a 64-bit address", (0 <= block) & (block <= HIGHEST))
    run.assert_goal("a block stays where it is unless it moves", address == block)
    is_the_laws(run, heap, after, block, made=True)


def has_room(heap: SymbolicHeap, state: law.Heap, block: Number, size: Number, alignment: Number) -> Truth:
    """Whether a live block's slot or pages hold this many bytes, and it is aligned."""
    page = page_of(heap, block)
    extent = when(is_run(heap, block), heap.large.at(page) << heap.page_shift, 1 << heap.slabs.slot_of(page))
    due = alignment_is_a_power_of_two(state, alignment) & law.is_aligned(state, alignment, block)
    return state.is_live(block) & (0 <= size) & (size <= extent) & due


def stands_for(run: Run, state: law.Heap, due: law.Heap) -> None:
    """Claims that two states of the law say the same of every block and every byte."""
    block, byte = run.point("block"), run.point("byte")
    run.assert_goal("the live blocks are what the law says", state.is_live(block) == due.is_live(block))
    same = (state.size(block) == due.size(block)) & (state.aligned_to(block) == due.aligned_to(block))
    run.assert_goal("they have the bytes and the alignment that were asked for", implies(due.is_live(block), same))
    run.assert_goal("each byte belongs to its block", state.block_at(byte) == due.block_at(byte))


@proved_of_code(
    "resize.hands-out-free-bytes", "refinement", "the code of resize hands out no byte of another live block"
)
def resized_is_disjoint(run: Run) -> None:
    heap, state = unknown_code(run, WHERE_THEY_STAY)
    block, size, alignment, byte = run.any_number("block"), any_size(run), any_alignment(run), run.point("byte")
    moving = MovingStandIn(run, heap, state)
    assume_lookup(run, heap, block)
    assume_resized(run, heap, state, block, size, alignment)
    address = run.call(heap.resize, block, size, alignment)
    moving.withheld.put_back()
    run.goals.clear()  # the goals of stand-ins are claimed in `resize.refines`
    if address is None:
        return
    other = state.block_at(byte)
    touch_bytes(run, heap, law.resize(state, block, size, alignment, address), byte, (address, other))
    run.touch(("page", "later"), (page_of(heap, block), page_of(heap, other)))
    shift = heap.slabs.slot_of(page_of(heap, block))
    run.assume(places_are_addresses(heap.places, heap.page_shift, block, other, shift))
    shared = (address <= byte) & (byte < address + size) & law.has_byte(law.delete(state, block), other, byte)
    stays = shared & (address == block)
    in_slot = stays & neg(is_run(heap, block))
    run.assert_and_assume("a byte of an object lies in its slot", implies(in_slot, share_a_slot(heap, address, byte)))
    run.assert_goal(law.is_disjoint_once_resized.says, law.is_disjoint_once_resized(state, block, size, address, byte))


@proved("alignment.defaults", "refinement", "where no alignment is named, every address is a multiple of it")
def no_alignment(run: Run) -> None:
    run.exits.elsewhere |= {"Heap.new", "Heap.resize"}  # to the end in `new_refines` and `resize_refines`
    heap, _ = unknown_code(run, knowing=())
    size, asked = run.any_number("size"), list[tuple[Number, Number]]()

    def ask(size: Number, alignment: Number) -> int:
        asked.append((size, alignment))
        return 0

    run.replace(heap, "slot_for", ask)
    run.replace(heap, "_new_pages", lambda size, alignment: None)
    run.call(heap.new, size)
    run.assert_goal("a class is looked up, unless the size is negative", (size < 0) | (len(asked) == 1))
    for found, alignment in asked:
        run.assert_goal("it is one for this size", found == size)
        run.assert_goal("of one byte every address is a multiple", alignment == 1)
    asked.clear()
    run.replace(heap, "new", ask)
    run.call(heap.resize, 0, size)
    ((found, alignment),) = asked
    run.assert_goal("a new block is one of this size", found == size)
    run.assert_goal("of one byte every address of a new block is a multiple", alignment == 1)


CODE = (resize_refines, resized_is_disjoint, no_alignment)


def obligations() -> Iterator[Obligation]:
    yield from CODE
