"""Proofs that the law of kernel pages as callers see them, `spec/kernel_pages.py`, follows from the manager's law.

That allocating pages needs a free frame for each is an induction over the steps of the law: as long as kernel pages are
allocated, a block has no more pages than there are fewer free frames (`takes_frames`).
"""

from __future__ import annotations

from dataclasses import dataclass

from memoracle.proofs.components.manager.law import LAW, proved
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.law_answers import any_state, one_answer
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.values import Function
from memoracle.spec import kernel_pages as asked
from memoracle.spec import manager as law
from memoracle.spec import manager_pages, manager_tables
from memoracle.spec.clauses import Number, Truth, neg, when


@dataclass(frozen=True)
class CallersView:
    """What a caller can see of a state: how many frames are free, and how many pages each block has."""

    free_frames: Number
    pages_at: Function


def view_of(state: law.Memory) -> CallersView:
    """What a caller can see of this state."""

    def pages_at(first: Number) -> Number:
        return when(state.block_at(first) == 0, 0, state.pages_at(first))

    return CallersView(state.count, pages_at)


def takes_frames(at_first: Number, state: law.Memory, first: Number) -> Truth:
    """The induction hypothesis: since so many frames were free, each page of this block has taken one at least."""
    return state.pages_at(first) <= at_first - state.count


@proved("begin-pages.takes-no-frame", "theorem", "a block of kernel pages is begun without taking a frame")
def begins(run: Run) -> None:
    before, after, values = law_obligations.happens(run, LAW, manager_pages.begin_pages)
    run.assert_goal("no page has taken one", takes_frames(before.count, after, values["first"]))


@proved("extend-pages.takes-a-frame", "theorem", "each kernel page takes at least one frame: its own")
def goes_on(run: Run) -> None:
    at_first = run.number("at_first")
    before, after, values = law_obligations.happens(run, LAW, manager_pages.extend_pages)
    run.suppose(takes_frames(at_first, before, values["first"]))
    run.assert_goal("one more page has taken one", takes_frames(at_first, after, values["first"]))


@proved("take-table.takes-a-frame", "theorem", "while kernel pages are allocated, tables give no frame back")
def tables_come(run: Run) -> None:
    at_first, first = run.number("at_first"), run.point("first")
    before, after, _ = law_obligations.happens(run, LAW, law.take_table)
    run.suppose(takes_frames(at_first, before, first))
    run.assert_goal("each page has taken one", takes_frames(at_first, after, first))


@proved("frames-suffice-for-kernel-pages", "theorem", "if all pages were allocated, there was a free frame for each")
def frames_suffice(run: Run) -> None:
    at_first, first, state = run.number("at_first"), run.point("first"), LAW.unknown(run)
    run.assume_all([*LAW.given, *LAW.invariants], state)
    run.suppose(takes_frames(at_first, state, first))
    view = CallersView(at_first, view_of(state).pages_at)
    run.assert_goal(asked.frames_suffice.says, asked.frames_suffice(view, state.pages_at(first)))


@proved(
    "frames-suffice-for-each-page",
    "theorem",
    "if tables take no frame, there is one for each missing page",
)
def each_page_has_one(run: Run) -> None:
    at_first, first, pages, state = run.number("at_first"), run.point("first"), run.number("pages"), LAW.unknown(run)
    run.assume_all([*LAW.given, *LAW.invariants], state)
    run.suppose(state.pages_at(first) == at_first - state.count)
    run.suppose(
        state.pages_at(first) < pages, asked.frames_suffice(CallersView(at_first, view_of(state).pages_at), pages)
    )
    run.assert_goal("a frame is free", 0 < state.count)


@proved("each-page-has-its-frame.counts-both", "theorem", "for one kernel page more one frame more is named")
def counts_both(run: Run) -> None:
    view, pages, frames = any_view(run), run.number("pages"), run.number("frames")
    run.assert_goal("none is named for none", asked.each_page_has_its_frame(view, 0, 0))
    one_more = asked.each_page_has_its_frame(view, pages + 1, frames + 1)
    run.assert_goal("with one of both more", asked.each_page_has_its_frame(view, pages, frames) == one_more)


@proved("gives-back-only-empty-tables.counts-both", "theorem", "a table may be given back for each that is empty")
def gives_back_what_is_empty(run: Run) -> None:
    given_back, empty = run.number("given_back"), run.number("empty")

    def may_be(given_back: Number, empty: Number) -> Truth:
        return manager_tables.gives_back_only_empty_tables(manager_tables.TakenTogether(given_back, empty))

    run.assert_goal("none need be", may_be(0, empty))
    run.assert_goal("none may be where none is empty", neg(may_be(given_back + 1, 0)))
    run.assert_goal("with one of both more", may_be(given_back, empty) == may_be(given_back + 1, empty + 1))


def any_view(run: Run) -> CallersView:
    """What a caller can see of any state that satisfies the invariants."""
    return view_of(any_state(LAW)(run))


PAGES = (
    begins,
    goes_on,
    tables_come,
    frames_suffice,
    each_page_has_one,
    counts_both,
    gives_back_what_is_empty,
    one_answer(proved, any_view, asked.each_page_has_its_frame, ["frames"]),
    one_answer(proved, any_view, asked.frees_them_whole, ["pages"]),
)
