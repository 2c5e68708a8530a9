"""Proofs of the manager's code that repeats a step of the law: kernel pages and exit.

At the head of a loop the state is any that the law admits: each turn is a step of the law, as `manager_code` shows of
`_extend`, `_shrink` and `free_frame`, and a step keeps the invariants. So what is proved here is that each turn may be
taken, what comes before and after the loop, and that the loops of kernel pages end; exit's ends with the list that it
empties.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from memoracle.proofs.components.manager.code import ALWAYS, Code, refines
from memoracle.proofs.components.manager.component_models import rounded
from memoracle.proofs.components.manager.kernel_pages import seen
from memoracle.proofs.symbolic.containers import Set
from memoracle.proofs.symbolic.execution import EndOfRunError, Run
from memoracle.proofs.symbolic.loops import cut
from memoracle.spec import kernel_pages as asked
from memoracle.spec import manager as law
from memoracle.spec import manager_pages, paging
from memoracle.spec.clauses import implies, neg
from memoracle.spec.kernel_half import process_lives


class UpToHere:
    """A loop of which only what comes before it is of interest."""

    def __init__(self, claims: Callable[..., None]) -> None:
        self.claims = claims

    def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Any:
        self.claims(*arguments)

    def havoc(self, run: Run) -> Any:
        raise EndOfRunError

    on_back_edge: Any = None


# Kernel pages


def is_the_least(code: Code, first: Any, pages: Any) -> Any:
    """That kernel pages have the least block that so many need: so it is between any two calls."""
    return (0 < pages) & (code.before.block_at(first) == rounded(code.run, pages))


class Filling(ABC):
    """The loops over the pages of a block: it is there, and has some of them.

    Of a turn they need to know what `extend_refines` and `shrink_refines` show: there is one page more, or less.
    """

    def __init__(self, code: Code, size: Any) -> None:
        self.code, self.size = code, size
        code.manager._extend, code.manager._shrink = self._extend, self._shrink

    def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Any:
        (self.first,) = arguments
        run.claim("the block is there", self.code.lengths.has(self.first))
        return self.measure()

    def on_back_edge(self, run: Run, result: Any) -> Any:
        if result is False:
            raise EndOfRunError  # nothing changed, and the loop ends: as if it had ended here at first
        return self.measure()

    @abstractmethod
    def measure(self) -> Any:
        """What each turn lowers."""

    def pages(self) -> Any:
        return self.code.lengths.at(self.first)

    def goes_on(self, run: Run) -> None:
        self.code.goes_on("-within")
        run.suppose(self.code.before.block_at(self.first) == self.size)

    def _extend(self, first: Any) -> bool:
        with self.code.run.reading_law():
            self.code.run.claim("the block has room for one more page", self.code.lengths.at(first) < self.size)
        if not self.code.whole.may("there is one more page"):
            return False
        self.code.lengths[first] = self.code.lengths[first] + 1
        return True

    def _shrink(self, first: Any) -> None:
        with self.code.run.reading_law():
            self.code.run.claim("a page is left", 0 < self.code.lengths.at(first))
        self.code.lengths[first] = self.code.lengths[first] - 1


class Growing(Filling):
    """The loop of allocate_pages."""

    def __init__(self, code: Code, asked: Any, size: Any) -> None:
        super().__init__(code, size)
        self.asked = asked
        code.manager._undo = lambda first, pages: undone(code, first, pages)

    def havoc(self, run: Run) -> Any:
        self.goes_on(run)
        run.suppose(self.pages() <= self.asked)
        self.went_on = run.fresh_truth("there is one more page")
        return self.went_on

    def on_back_edge(self, run: Run, result: Any) -> Any:
        run.claim("it has no more pages than were asked for", self.pages() <= self.asked)
        return super().on_back_edge(run, result)

    def measure(self) -> Any:
        return self.asked - self.pages()


class Shrinking(Filling):
    """The loop of undoing."""

    def havoc(self, run: Run) -> None:
        self.goes_on(run)

    def measure(self) -> Any:
        return self.pages()


def undone(code: Code, first: Any, pages: Any) -> None:
    """Stands in for `_undo`, of which `undo_refines` shows what it does."""
    with code.run.reading_law():
        code.run.claim("what is undone is a whole block", is_the_least(code, first, pages))
        code.goes_on("-undone")
        code.run.suppose(code.before.block_at(first) == 0)


@refines("begin-pages", "the code of allocate_pages begins a block as the law says, or does nothing")
def begin_refines(run: Run, code: Code) -> None:
    pages = run.point("pages")
    size = rounded(run, pages)

    def begun(first: Any) -> None:
        code.allowed(manager_pages.begin_pages, code.before, first=first, pages=size)
        code.stands_for(manager_pages.begin_pages(code.before, first, size))

    cut(run, code.manager, "_extend", lambda first: UpToHere(begun))
    address = code.call("allocate_pages", pages)
    run.claim("only without a block are there no pages, and no address", address is None and code.whole.refused)
    code.stands_for(code.before)


@refines("allocate-pages", "the code of allocate_pages extends its block to all pages, or undoes it whole", ())
def allocate_pages_refines(run: Run, code: Code) -> None:
    pages = run.point("pages")
    size, start = rounded(run, pages), code.before
    loop = Growing(code, pages, size)
    cut(run, code.manager, "_extend", lambda first: loop)
    address = code.call("allocate_pages", pages)
    if code.before is start:
        return  # no block was begun: see `begin_refines`
    if address is None:
        run.claim("it gives up only where there can be no more pages", neg(loop.went_on))
        run.claim("nothing of the block is left", code.before.block_at(loop.first) == 0)
        return
    run.claim("the address is the block's", address == law.address_of(start, loop.first))
    run.claim("it has as many pages as were asked for", loop.pages() == pages)
    run.claim("of the block that so many need", is_the_least(code, loop.first, pages))


@refines(
    "undo-pages",
    "the code that undoes kernel pages shrinks the block to nothing, and gives it back",
    (*ALWAYS, law.kernel_blocks_are_ranges),
)
def undo_refines(run: Run, code: Code) -> None:
    first, pages = run.point("first"), run.point("pages")
    run.assume(is_the_least(code, first, pages), code.before.block_at(first) != 0)
    loop = Shrinking(code, rounded(run, pages))
    cut(run, code.manager, "_shrink", lambda first: loop)
    code.call("_undo", first, pages)
    left = code.before  # by now, the state in which the loop ended
    code.allowed(manager_pages.end_pages, left, first=first)
    code.stands_for(manager_pages.end_pages(left, first))


@refines("free-pages", "the code of free_pages undoes one allocation whole, or nothing", ())
def free_pages_refines(run: Run, code: Code) -> None:
    pages, page, before = run.point("pages"), run.point("first"), code.before
    address = law.address_of(before, page)
    begins = (before.block_at(page) != 0) & (before.pages_at(page) == pages)
    run.assume(implies(begins, is_the_least(code, page, pages)))
    view = seen(before)
    due = asked.begins_kernel_pages(view, page) & asked.frees_them_whole(view, page, pages)
    code.manager._undo = lambda first, pages: undone(code, first, pages)
    if code.succeeds("free_pages", address, pages):
        run.claim("so many pages begin there", due)
        run.claim("nothing of the block is left", code.before.block_at(page) == 0)
    else:
        run.claim("no block of so many pages begins there", neg(due))
        run.claim("nothing changes", code.is_untouched())


# Exit


class Releasing:
    """The loop of exit: what is left to release is shown by no page."""

    def __init__(self, code: Code) -> None:
        self.code = code

    def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> None:
        (self.released,) = arguments
        frame = run.point("frame")
        unused = law.nothing_maps_it(self.code.whole.state, frame)
        run.claim("what is left to release has no uses", implies(self.released.has(frame), unused))

    def havoc(self, run: Run) -> None:
        code = self.code
        code.goes_on("-releasing")
        left = run.relation("left", "frame")
        run.assume_for_all(("frame",), lambda frame: implies(left(frame), law.nothing_maps_it(code.before, frame)))
        self.released.has, self.released.witnesses = left, []

    def on_back_edge(self, run: Run, result: Any) -> None:
        frame, due = self.released.popped, self.code.before
        if self.code.bitmap.freed:
            self.code.allowed(law.release, due, frame=frame)
            due = law.release(due, frame)
        else:
            run.claim("what frame.allocate gave is released", neg(law.takes_back_what_was_given(due, frame)))
        self.code.stands_for(due)
        self.on_entry(run, (self.released,))


@refines("exit", "the code of exit ends a process as the law says, once all that it mapped is unmapped")
def exit_refines(run: Run, code: Code) -> None:
    process, before = run.point("process"), code.before

    def ended(released: Set | None = None) -> None:
        """When all that the process mapped was unmapped, and its tables had gone."""
        paging_of, (root,), (tables,) = code.manager.paging, code.whole.roots, code.whole.tables
        run.claim("the law allows each table's step", tables.allowed(paging_of.unmapped, run.point("frame")))
        left = tables(paging_of.unmapped)
        code.allowed(law.end, left, process=process, frame=root)
        code.stands_for(law.end(left, process, root))

    cut(run, code.manager, "_release_one", lambda released: UpToHere(ended))
    if code.succeeds("exit", process):
        ended()
        told = code.manager.paging.lost_its_last_use(run.point("frame"))
        run.claim("no frame lost its last use", neg(told))
    else:
        run.claim("it fails only if the law says so", neg((process != 0) & process_lives(before, process)))
        code.stands_for(before)


@refines(
    "release",
    "the code of exit releases what frame.allocate gave of the frames that nothing maps any more",
    (*ALWAYS, paging.kernel_lives),
)
def release_refines(run: Run, code: Code) -> None:
    loop = Releasing(code)
    cut(run, code.manager, "_release_one", lambda released: loop)
    code.call("exit", run.point("process"))


CODE = (
    begin_refines,
    allocate_pages_refines,
    undo_refines,
    free_pages_refines,
    exit_refines,
    release_refines,
)
