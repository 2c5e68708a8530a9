"""Proofs that what the page tables' code answers when asked is what the law says, and that asking changes nothing."""

from __future__ import annotations

from memoracle.proofs.components.paging.claims import at_each_level, proved, untouched
from memoracle.proofs.components.paging.symbolic_tables import SymbolicPaging, any_place, any_reading, unknown_code
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec import paging as law
from memoracle.spec.clauses import Number, Truth, neg, when


def nothing_to_find(world: SymbolicPaging, process: Number, virtual: Number) -> Truth:
    return neg(world.mappings.lives(process)) | law.nothing_is_mapped(world.mappings, process, virtual)


@proved(
    "translate.refines", "refinement", "the code of translate finds the byte that the law says, and changes nothing"
)
def translate_refines(run: Run) -> None:
    world = unknown_code(run, any_reading(run))
    process, virtual = any_place(run)
    found = run.call(world.code.translate, process, virtual)
    if found is None:
        run.assert_goal("nothing is mapped there", nothing_to_find(world, process, virtual))
    else:
        right = law.translates_what_is_mapped(world.mappings, process, virtual, found)
        run.assert_goal("it is the byte of the frame that the page shows", right)
    untouched(run, world)


@at_each_level("attributes.refines", "the code of attributes finds what the walk allows, and changes nothing")
def attributes_refines(run: Run, level: int) -> None:
    world = unknown_code(run, None, level)
    process, virtual = any_place(run)
    found = run.call(world.code.attributes, process, virtual)
    if found is None:
        run.assert_goal("nothing is mapped there", nothing_to_find(world, process, virtual))
    else:
        said = (found.cache, *(when(flag, 1, 0) for flag in found[1:]))
        right = law.attributes_are_the_mappings(world.mappings, process, virtual, *said)
        run.assert_goal("they are those of the page, as the walk combines them", right)
    untouched(run, world)


CODE = (translate_refines, *attributes_refines)
