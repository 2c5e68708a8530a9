"""Proofs of the law of what is mapped, `spec/paging.py`.

Operations preserve the invariants, for any number of processes that map any pages, of each size; the theorems follow
from the invariants, and a query has one right answer. Page tables play no part here.
"""

from __future__ import annotations

import z3

from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.law_answers import any_state, one_answer
from memoracle.proofs.obligations.law_obligations import changes
from memoracle.proofs.obligations.obligation import Claims
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST, HypothesisPool, Sort
from memoracle.spec import geometry_keys, paging_theorems
from memoracle.spec import paging as law
from memoracle.spec.clauses import Number, neg

PAGE_SHIFTS = tuple(geometry_keys.PAGE_SHIFTS.values())  # of leaves of level 1, 2 and 3
SPACE, PAGE, PHYSICAL, NUMBER = Sort("space"), Sort("page"), Sort("physical"), Sort("number")
SORTS = {
    "process": SPACE,
    "other": SPACE,
    "space": SPACE,
    "page": PAGE,
    "virtual": PAGE,
    "physical": PHYSICAL,
    "number": NUMBER,
    "later": NUMBER,
    "cache": Sort("cache"),
    "value": Sort("value"),
    "writable": Sort("truth", 1),
    "user": Sort("truth", 1),
    "executable": Sort("truth", 1),
    "global_": Sort("truth", 1),
}
OF_PAGE = ("is_mapped", "physical", "cache", "writable", "executable", "global_", "number_of")
FUNCTIONS = {
    **dict.fromkeys(OF_PAGE, law_obligations.any_point("space", "page")),
    "lives": law_obligations.any_point("space"),
    "uses": law_obligations.any_point("physical"),
    "space_numbered": law_obligations.any_point("physical", "number"),
    "page_numbered": law_obligations.any_point("physical", "number"),
}


def either(run: Run, name: str) -> bool:
    """An unknown truth: the proof is made once for each value of it, on two paths."""
    return run.decide(z3.Bool(name))


def page_shift(run: Run) -> int:
    """The binary logarithm of the size of a page: the proof is made for each size, on paths of their own."""
    small, large = PAGE_SHIFTS[0], PAGE_SHIFTS[1:]
    return small if either(run, "leaves of level 1") else large[0] if either(run, "leaves of level 2") else large[1]


def any_direct_end(run: HypothesisPool) -> Number:
    """Where a direct map ends: it may do so where all addresses end."""
    return run.number("direct_end", 0, HIGHEST + 1)


def unknown(run: Run) -> law.Mappings:
    """Any number of processes that map any pages. Nothing is assumed of them yet."""
    lives = run.relation("lives", "space")
    return law.Mappings(
        page_shift=page_shift(run),
        physical_bits=run.number("physical_bits", 32, 52),
        pat_register=run.number("pat_register"),
        counted=run.number("counted"),
        direct_start=run.number("direct_start"),
        direct_end=any_direct_end(run),
        lives=lives,
        is_mapped=run.relation("is_mapped", "space", "page"),
        physical=run.function("physical", "space", "page", gives="physical"),
        cache=run.function("cache", "space", "page"),
        writable=run.function("writable", "space", "page", high=1),
        executable=run.function("executable", "space", "page", high=1),
        global_=run.function("global", "space", "page", high=1),
        uses=run.function("uses", "physical"),
        number_of=run.function("number_of", "space", "page", gives="number"),
        space_numbered=run.function("space_numbered", "physical", "number", gives="space"),
        page_numbered=run.function("page_numbered", "physical", "number", gives="page"),
    )


def initial(run: Run) -> law.Mappings:
    """The initial state of any machine."""
    state = unknown(run)
    return law.unmapped(
        state.page_shift,
        state.physical_bits,
        state.pat_register,
        state.counted,
        state.direct_start,
        state.direct_end,
    )


LAW = law_obligations.Law(
    "paging",
    SORTS,
    FUNCTIONS,
    unknown,
    initial,
    law.INVARIANTS,
    law.OPERATIONS,
    paging_theorems.THEOREMS,
)


proved = Claims("paging", SORTS)


@proved("exit.ends-a-live-process", "theorem", "only a live process ends")
def ends_a_live_process(run: Run) -> None:
    before, _, values = law_obligations.happens(run, LAW, law.end)
    run.assert_goal("the process lived", before.lives(values["process"]))


@proved("nothing-is-mapped.has-no-translation", "theorem", "the law does not call unmapped what has a translation")
def none_or_a_translation(run: Run) -> None:
    state, at = any_state(LAW)(run), run.point_of_each(law.translates_what_is_mapped.points)
    run.assume(law.translates_what_is_mapped(state, *at.values()))
    unmapped = law.nothing_is_mapped(state, *(at[each] for each in law.nothing_is_mapped.points))
    run.assert_goal("it is not called unmapped", neg(unmapped))


ATTRIBUTES = ("cache", "writable", "user", "executable", "global_")
THEOREMS = (
    *(
        changes(LAW, each, paging_theorems.moves_no_other_page, own=("process", "virtual"))
        for each in (law.map_page, law.unmap)
    ),
    ends_a_live_process,
    one_answer(proved, any_state(LAW), law.translates_what_is_mapped, ["physical"]),
    one_answer(proved, any_state(LAW), law.attributes_are_the_mappings, ATTRIBUTES),
    none_or_a_translation,
)
