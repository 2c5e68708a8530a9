"""Proof that `blocks` lists every block, none twice, in address order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from memoracle.proofs.components.buddy.code import Search
from memoracle.proofs.components.buddy.law import proved
from memoracle.proofs.components.buddy.symbolic_buddy import contents, unknown_code, untouched
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.loops import Measure, Rises, cut
from memoracle.proofs.symbolic.values import Property
from memoracle.spec import buddy as law
from memoracle.spec.blocks import Blocks, in_range, is_aligned
from memoracle.spec.clauses import Number, Truth, implies, when

Entry = tuple[Any, Any, Any]


class BlockList:
    """Stands in for a list of blocks, of any length, that is only added to.

    at: the entry at a place: first page, pages, whether it is allocated.  is_block: whether that is a block as it is.
    tells: the same of any entry.
    """

    def __init__(
        self, length: Number, at: Callable[[Any], Entry], is_block: Property, tells: Callable[[Entry], Any]
    ) -> None:
        self.length, self.at, self.is_block, self.tells = length, at, is_block, tells

    def append(self, entry: Entry) -> None:
        length, at, is_block, right = self.length, self.at, self.is_block, self.tells(entry)

        def now(place: Number) -> Entry:
            first, pages, allocated = (when(place == length, *both) for both in zip(entry, at(place), strict=True))
            return first, pages, allocated

        self.at, self.length = now, length + 1
        self.is_block = lambda place: when(place == length, right, is_block(place))


class Listing:
    """The loop that lists the blocks: it goes from the first page of a block to the first page of the next.

    place_of: the place on the list of the block that has a page; of the pages that come after what is listed, none.
    """

    def __init__(self, state: Blocks) -> None:
        self.state = state
        self.place_of: Callable[[Any], Any] = lambda page: 0

    def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Measure:
        self.listing, self.page = arguments
        self.were = self.as_unknown(self.listing).length
        order = self.state.order_at(self.page)
        run.touch(("order", "block"), (order, self.page >> order))
        return self._claims(run, self.page)

    def havoc(self, run: Run) -> Number:
        page = run.point("page")
        order = self.state.order_at(page)
        run.touch(("order", "block"), (order, page >> order))
        length = run.fresh("listed", 1, run.sorts["place"].highest)
        first, pages = run.function("first", "place"), run.function("pages", "place")
        allocated, is_block = run.relation("allocated", "place"), run.relation("is_block", "place")
        self.place_of = run.function("place_of", "page", high=run.sorts["place"].highest, gives="place")
        self.havocked = BlockList(
            length, lambda place: (first(place), pages(place), allocated(place)), is_block, self.tells
        )
        known = self.as_unknown(self.havocked)
        run.suppose(self._starts_a_block(page), length <= page)
        run.assume_for_all(("place",), lambda place: self.in_order(known, page, place))
        run.assume_for_all(("page",), lambda each: self.has(known, page, each))
        return page

    def changes(self, run: Run) -> dict[str, Any]:
        return {"listing": self.havocked}

    def on_back_edge(self, run: Run, result: Any) -> Measure:
        were, page, place_of = self.were, self.page, self.place_of
        self.place_of = lambda each: when(page <= each, were, place_of(each))
        run.assert_and_assume("the next begins where the block ends", result == page + (1 << self.state.order_at(page)))
        run.suppose(law.blocks_follow_each_other(self.state, page))  # a theorem of the law
        return self._claims(run, result)

    def _claims(self, run: Run, page: Number) -> Rises:
        run.assert_goal("a block starts there, or the range ends", self._starts_a_block(page))
        self.is_complete(run, self.listing, page)
        return Rises(page, 1 << self.state.depth)

    def is_complete(self, run: Run, listing: Any, page: Number) -> None:
        """Claims that a list has the blocks up to a page, each once, in order."""
        same = self.as_unknown(listing)
        place, other = run.point("place"), run.point("page")
        run.assert_goal("no more blocks are listed than there are pages", same.length <= page)
        run.assert_goal("each block is listed where the one before it ends", self.in_order(same, page, place))
        run.assert_goal("each page is in a block that is listed", self.has(same, page, other))

    def in_order(self, listing: BlockList, page: Number, place: Number) -> Truth:
        """Whether the entry at a place is a block as it is, that begins and ends where it should."""
        (first, pages, _), after = listing.at(place), listing.at(place + 1)
        ends = first + pages
        begins = implies(place == 0, law.lists_in_address_order(self.state, first, 0))
        follows = law.lists_in_address_order(self.state, when(place + 1 == listing.length, page, after[0]), ends)
        return implies(place < listing.length, listing.is_block(place) & begins & follows)

    def has(self, listing: BlockList, page: Number, each: Number) -> Truth:
        """Whether a page before this one is in a block that is listed."""
        place = self.place_of(each)
        first, pages, _ = listing.at(place)
        return implies(each < page, (place < listing.length) & (first <= each) & (each < first + pages))

    def tells(self, entry: Entry) -> Truth:
        return law.lists_the_block(self.state, *entry)

    def as_unknown(self, listing: Any) -> BlockList:
        """A list, whichever of the two it is, as the stand-in that has the same entries."""
        if isinstance(listing, BlockList):
            return BlockList(listing.length, listing.at, listing.is_block, self.tells)
        same = BlockList(0, lambda place: (0, 0, False), lambda place: True, self.tells)
        for entry in listing:
            same.append(entry)
        return same

    def _starts_a_block(self, page: Number) -> Truth:
        starts = in_range(self.state, page) & is_aligned(page, self.state.order_at(page))
        return starts | (page == 1 << self.state.depth)


@proved(
    "blocks.refines", "refinement", "the code of blocks lists every block once, in address order, and changes nothing"
)
def blocks_refines(run: Run) -> None:
    run.exits.elsewhere.add("Buddy._free_order")  # which finds a block here, for each page is in one; see `reserve`
    buddy, state = unknown_code(run)
    loop, before = Listing(state), contents(buddy)

    def is_over_the_page(order: Number, block: Number) -> Any:
        return block == loop.page >> order

    cut(run, buddy, "_list", lambda listing, page: loop)
    cut(run, buddy, "_larger", lambda order: Search(buddy, state, is_over_the_page, order))
    loop.is_complete(run, run.call(buddy.blocks), 1 << state.depth)
    untouched(run, buddy, before)


CODE = (blocks_refines,)
