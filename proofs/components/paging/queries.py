"""Proofs that the code's queries, `translate` and `attributes`, answer what the law says, and change nothing.

The tables are unknown and satisfy their invariants. `translate` is proved for any way to read entries; `attributes`,
for the processor's.
"""

from __future__ import annotations

from memoracle.proofs.components.paging.claims import assert_unchanged, at_each_level, proved
from memoracle.proofs.components.paging.symbolic_tables import SymbolicPaging, any_place, any_reading, unknown_code
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec import paging as law
from memoracle.spec.clauses import Number, Truth, neg, when


def nothing_to_find(symbolic: SymbolicPaging, process: Number, virtual: Number) -> Truth:
    """Whether the law has nothing to answer: the process does not live, or maps nothing at this address."""
    return neg(symbolic.mappings.lives(process)) | law.nothing_is_mapped(symbolic.mappings, process, virtual)


@proved(
    "translate.refines", "refinement", "the code of translate finds the byte that the law says, and changes nothing"
)
def translate_refines(run: Run) -> None:
    symbolic = unknown_code(run, any_reading(run))
    process, virtual = any_place(run)
    found = run.call(symbolic.code.translate, process, virtual)
    if found is None:
        run.assert_goal("nothing is mapped there", nothing_to_find(symbolic, process, virtual))
    else:
        right = law.translates_what_is_mapped(symbolic.mappings, process, virtual, found)
        run.assert_goal("it is the byte of the frame that the page shows", right)
    assert_unchanged(run, symbolic)


@at_each_level("attributes.refines", "the code of attributes finds what the walk allows, and changes nothing")
def attributes_refines(run: Run, level: int) -> None:
    symbolic = unknown_code(run, None, level)
    process, virtual = any_place(run)
    found = run.call(symbolic.code.attributes, process, virtual)
    if found is None:
        run.assert_goal("nothing is mapped there", nothing_to_find(symbolic, process, virtual))
    else:
        for flag in found[1:]:
            run.assert_truth(flag)
        answer = (found.cache, *(when(flag, 1, 0) for flag in found[1:]))
        right = law.attributes_are_the_mappings(symbolic.mappings, process, virtual, *answer)
        run.assert_goal("they are those of the page, as the walk combines them", right)
    assert_unchanged(run, symbolic)


@proved("is-shown.refines", "refinement", "the code of is_shown finds whether a frame has uses, and changes nothing")
def is_shown_refines(run: Run) -> None:
    symbolic = unknown_code(run, any_reading(run))
    frame = run.any_number("table")
    shown = run.answers(symbolic.code.is_shown, frame)
    has_uses = 0 < symbolic.mappings.uses(frame << symbolic.mappings.page_shift)
    run.assert_goal("a frame is shown if and only if it has uses", has_uses if shown else neg(has_uses))
    assert_unchanged(run, symbolic)


CODE = (translate_refines, *attributes_refines, is_shown_refines)
