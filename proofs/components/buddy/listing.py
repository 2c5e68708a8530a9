"""Proof that `blocks` lists every block once, in address order.

The loop is cut at its invariant: the list has every block up to the page that the loop has come to. That where a block
ends the next begins, or a hole, is a theorem of the law (`blocks_follow_each_other`), and is assumed here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar, TypeAlias

from memoracle.proofs.components.buddy.code import Search
from memoracle.proofs.components.buddy.law import proved
from memoracle.proofs.components.buddy.symbolic_buddy import SymbolicBuddy, assert_unchanged, contents, unknown_code
from memoracle.proofs.symbolic.containers import Unasked
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.loops import Measure, Rises, cut
from memoracle.proofs.symbolic.values import Condition, Function, Property
from memoracle.proofs.symbolic.witnesses import Points
from memoracle.spec import blocks
from memoracle.spec import buddy as law
from memoracle.spec.blocks import Blocks, first_page, is_aligned, same_block
from memoracle.spec.clauses import Number, Truth, implies, neg, when

MATTERS = (  # of the invariants, those that the code relies on
    blocks.pages_lie_in_range,
    blocks.every_page_is_in_one_block,
    blocks.missing_pages_are_in_no_block,
    blocks.largest_block_fits,
    blocks.blocks_lie_in_range,
)
Entry: TypeAlias = tuple[Number, Number, Truth]  # first page, pages, whether it is allocated


class BlockList(Unasked):
    """Stands in for a list of blocks of any length to which entries are only appended.

    at: the entry at a place.  is_block_at: whether the law has the block that is listed there.  is_block: whether it
    has the block that an entry describes.
    """

    def __init__(
        self,
        length: Number,
        at: Callable[[Number], Entry],
        is_block_at: Property,
        is_block: Callable[[Entry], Truth],
    ) -> None:
        self.length, self.at, self.is_block_at, self.is_block = length, at, is_block_at, is_block

    def append(self, entry: Entry) -> None:
        length, at, is_block_at, is_block = self.length, self.at, self.is_block_at, self.is_block(entry)

        def now(place: Number) -> Entry:
            is_new, (first, pages, allocated) = place == length, at(place)
            return when(is_new, entry[0], first), when(is_new, entry[1], pages), when(is_new, entry[2], allocated)

        self.at, self.length = now, length + 1
        self.is_block_at = lambda place: when(place == length, is_block, is_block_at(place))


Listed: TypeAlias = "BlockList | Sequence[Entry]"  # by the reference: the list that it starts with is a real one


def part_of_entry(at: Callable[[Number], Entry], part: int, place: Number) -> Number | Truth:
    """One of the three that the entry at a place is of."""
    return at(place)[part]


class Listing:
    """The loop that lists the blocks, from the first page of a block, or of a hole, to the first page of the next.

    Invariant: the blocks before the page that it has come to are listed, each behind the one before it, with holes
    between them at most.
    place_of: the place in the list of the block that has a page; it says nothing of pages that are not listed yet, nor
    of those that do not exist.  next_page: the first page from this one on that exists, or else the range's end.
    """

    points: ClassVar[Points] = dict.fromkeys(("at", "is_block_at"), ("place",))

    def __init__(self, run: Run, buddy: SymbolicBuddy, state: Blocks) -> None:
        self.run, self.buddy, self.state = run, buddy, state
        self.place_of: Function = lambda page: 0
        self.next_page: Function = run.function("next_page", "place_after")

    def _knows_next(self, run: Run, page: Number, *others: Number) -> None:
        """Takes as given what `next_page` is, of this page and as far as it concerns these."""
        there, end = self.next_page(page), 1 << self.state.depth
        is_one = (page <= there) & (there <= end) & (self.state.is_page(there) | (there == end))
        run.suppose(implies(page <= end, is_one))
        for each in others:
            run.suppose(implies((page <= each) & (each < there), neg(self.state.is_page(each))))

    def on_entry(self, run: Run, arguments: tuple[Listed, Number]) -> Measure:
        self.listing, self.page = arguments
        self.length_before = self.as_block_list(self.listing).length
        order = self.state.order_at(self.page)
        run.touch(("order", "block"), (order, self.page >> order))
        return Rises(self.page, 1 << self.state.depth)

    def havoc(self, run: Run) -> Number:
        page = run.point("page")
        order = self.state.order_at(page)
        run.touch(("order", "block"), (order, page >> order))
        length = run.fresh("listed", 0, run.sorts["place"].highest)
        first, pages = run.function("first", "place"), run.function("pages", "place")
        allocated, is_block = run.relation("allocated", "place"), run.relation("is_block", "place")
        self.place_of = run.function("place_of", "page", high=run.sorts["place"].highest, gives="place")
        self.havocked = BlockList(
            length, lambda place: (first(place), pages(place), allocated(place)), is_block, self.is_block
        )
        known = self.as_block_list(self.havocked)  # which does not change when entries are appended
        run.suppose(self._starts_a_block(page))
        run.suppose(*self._facts(known, page).values())
        for parameter, _, holds in self._of_each(known, page):
            run.assume_for_all((parameter,), holds)
        return page

    def changes(self, run: Run) -> dict[str, BlockList]:
        return {"listing": self.havocked}

    def on_back_edge(self, run: Run, result: Number) -> Measure:
        length, page, place_of = self.length_before, self.page, self.place_of
        self.place_of = lambda each: when(page <= each, length, place_of(each))
        self._knows_next(run, page, page, result)
        self._knows_next(run, result, result)
        if self.as_block_list(self.listing).length is length:
            self._skips_a_hole(run, page, result)
        else:
            self._lists_a_block(run, page, result)
        return Rises(result, 1 << self.state.depth)

    def witnesses(self, result: Number) -> list[object]:
        listed = self.as_block_list(self.listing)
        parts = [partial(part_of_entry, listed.at, part) for part in range(3)]
        return [result, listed.length, *parts, listed.is_block_at, self.place_of]

    def look_at(self, point: Number) -> None:
        """Says of a page what is known of those behind the one at hand."""
        self._knows_next(self.run, self.page, point)

    def as_stand_in(self, value: object) -> object:
        return self.as_block_list(value) if isinstance(value, BlockList | list) else value

    def _skips_a_hole(self, run: Run, page: Number, result: Number) -> None:
        """Claims that no page exists from the one on up to the other, and that a block begins there, if it exists."""
        before, order, own = result - 1, self.state.order_at(result), self.state.order_at(page)
        run.touch(("page",), (before,))
        is_first = implies(self.state.is_page(page), page >> own << own == page)
        run.assert_and_assume("a page that exists is the first of its block", is_first)
        block = page >> own
        for says, found in (("allocated", self.state.is_allocated), ("free", self.state.is_free)):
            run.assert_and_assume(f"no {says} block has it", implies(self.state.is_page(page), neg(found(own, block))))
        run.assert_and_assume("there is a hole", neg(self.state.is_page(page)))
        run.assert_and_assume("the next is another", result != page)
        run.assert_and_assume("the next is behind it", page <= result)
        in_between = implies(page < before, neg(self.state.is_page(before)))
        run.assert_and_assume("the page before the next does not exist, if it is behind this one", in_between)
        run.assert_and_assume("the page before the next does not exist", neg(self.state.is_page(before)))
        run.assert_and_assume("no page before the next is the first that exists", result <= self.next_page(page))
        run.assert_and_assume("the next is the first that exists", result == self.next_page(page))
        in_block = implies(neg(is_aligned(result, order)), same_block(order, before, result))
        run.assert_and_assume("in a block a page lies behind another", in_block)

    def _lists_a_block(self, run: Run, page: Number, result: Number) -> None:
        """Claims that the entry just appended is of the block that begins at the one page, and ends at the other."""
        state, order, noted = self.state, self.state.order_at(page), self.buddy.allocated.at(page)
        is_first = implies(self.buddy.allocated.has(page), page >> noted << noted == page)
        run.assert_and_assume("what is noted as allocated begins its block", is_first)
        run.assert_and_assume("the page is in a block", blocks.exists(state, order, page >> order))
        run.assert_and_assume("it exists", state.is_page(page) & (self.next_page(page) == page))
        run.assert_and_assume("it is the first of its block", first_page(page, order) == page)
        run.assert_and_assume("the next begins where the block ends", result == page + (1 << order))
        entry = self.as_block_list(self.listing).at(self.length_before)
        run.assert_and_assume("what is listed is a block", law.lists_the_block(state, *entry))
        after = first_page(page, order) + (1 << order) - 1 + 1
        run.assert_and_assume("it is the next that the law speaks of", after == result)
        run.suppose(law.blocks_follow_each_other(state, page))  # a theorem of the law

    def assert_complete(self, run: Run, listed: Listed, page: Number) -> None:
        """Claims that a list has the blocks up to a page, each once, in order."""
        listing = self.as_block_list(listed)
        points = run.point_of_each(("place", "page"))
        self._knows_next(run, self.page, points["page"])
        for says, truth in self._facts(listing, page).items():
            run.assert_goal(says, truth)
        for parameter, says, holds in self._of_each(listing, page):
            run.assert_goal(says, holds(points[parameter]))

    def _facts(self, listing: BlockList, page: Number) -> dict[str, Truth]:
        """What holds of a list that has the blocks up to a page; what it is."""
        facts = {
            "no more blocks are listed than there are pages": listing.length <= page,
            "the list begins with the first block": self._begins(listing, page),
        }
        # A turn touches the last two entries alone, so these are cases of their own.
        for name, each in {"last": listing.length - 1, "last but one": listing.length - 2}.items():
            facts[f"the {name} block is listed in order"] = implies(0 <= each, self._in_order(listing, page, each))
        return facts

    def _of_each(self, listing: BlockList, page: Number) -> list[tuple[str, str, Condition]]:
        """What holds of each place in such a list, or of each page; what it is."""
        place_of = self.place_of  # as it is now: what is supposed is written out later

        def in_order(place: Number) -> Truth:
            return implies(place + 2 < listing.length, self._in_order(listing, page, place))

        def in_the_last(each: Number) -> Truth:
            place = place_of(each)
            return implies(place == listing.length - 1, self._has(listing, page, each, place))

        def in_another(each: Number) -> Truth:
            place = place_of(each)
            return implies(place != listing.length - 1, self._has(listing, page, each, place))

        return [
            ("place", "each block is listed behind the one before it", in_order),
            ("page", "each page of the last block is listed", in_the_last),
            ("page", "each page of the other blocks is listed", in_another),
        ]

    def _begins(self, listing: BlockList, page: Number) -> Truth:
        """Whether the first entry is of the first page that exists."""
        first: Number = when(listing.length == 0, self.next_page(page), listing.at(0)[0])
        return law.lists_in_address_order(self.state, first, self.next_page(0))

    def _in_order(self, listing: BlockList, page: Number, place: Number) -> Truth:
        """Whether the entry at a place is a block of the law, and the next entry is of the first page after it.

        page: the first that is not listed, at which the last block ends, or a hole behind it.
        """
        (first, pages, _), after = listing.at(place), listing.at(place + 1)
        following: Number = when(place + 1 == listing.length, self.next_page(page), after[0])
        follows = law.lists_in_address_order(self.state, following, self.next_page(first + pages))
        return implies(place < listing.length, listing.is_block_at(place) & (first + pages <= page) & follows)

    def _has(self, listing: BlockList, page: Number, each: Number, place: Number) -> Truth:
        """Whether `each`, if it exists and is a page before `page`, is in the block that is listed at a place."""
        first, pages, _ = listing.at(place)
        is_listed = (place < listing.length) & (first <= each) & (each < first + pages)
        return implies((each < page) & self.state.is_page(each), is_listed)

    def is_block(self, entry: Entry) -> Truth:
        """Whether the law has the block that an entry describes."""
        return law.lists_the_block(self.state, *entry)

    def as_block_list(self, listed: Listed) -> BlockList:
        """A stand-in of its own with the same entries."""
        if isinstance(listed, BlockList):
            return BlockList(listed.length, listed.at, listed.is_block_at, self.is_block)
        listing = BlockList(0, lambda place: (0, 0, False), lambda place: True, self.is_block)
        for entry in listed:
            listing.append(entry)
        return listing

    def _starts_a_block(self, page: Number) -> Truth:
        starts = implies(self.state.is_page(page), is_aligned(page, self.state.order_at(page)))
        return starts & (page <= 1 << self.state.depth)


@proved(
    "blocks.refines", "refinement", "the code of blocks lists every block once, in address order, and changes nothing"
)
def blocks_refines(run: Run) -> None:
    # Its ways out lie within a turn of the loop, with which a run ends: they are reached to the end in `reserve`.
    run.exits.elsewhere.add("Buddy._free_order")
    buddy, state = unknown_code(run, MATTERS)
    loop, before = Listing(run, buddy, state), contents(buddy)

    def covers_the_page(order: Number, block: Number) -> Truth:
        return block == loop.page >> order

    cut(run, buddy, "_list", lambda listing, page: loop)
    cut(run, buddy, "_larger", lambda order: Search(buddy, state, covers_the_page, order))
    listed = run.call(buddy.blocks)
    loop.assert_complete(run, listed, 1 << state.depth)
    assert_unchanged(run, buddy, before)


CODE = (blocks_refines,)
