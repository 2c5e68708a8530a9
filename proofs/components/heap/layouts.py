"""The lemma about layouts of slabs that the proofs of the heap's code assume, proved of the law's layouts."""

from __future__ import annotations

from memoracle.impl.slab import Layout
from memoracle.proofs.components.heap.address_arithmetic import proved
from memoracle.proofs.components.heap.law import unknown_layout
from memoracle.proofs.obligations.law_obligations import prose
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec import slab as slab_law
from memoracle.spec.clauses import Truth


def layouts_have_heads(layout: Layout) -> Truth:
    """The slots of a page are those of the head, up to its first object, followed by its objects, two or more."""
    head = layout.first >> layout.slot_shift
    slots = layout.slots == 1 << layout.page_shift - layout.slot_shift
    return slots & (1 <= head) & (head << layout.slot_shift == layout.first) & (layout.slots - head == layout.objects)


@proved("arithmetic.layouts-have-heads", "theorem", prose(layouts_have_heads))
def heads_of_layouts(run: Run) -> None:
    due = unknown_layout(run)
    run.assume(*(clause(due, *[0] * len(clause.points)) for clause in slab_law.THEOREMS))
    made = Layout(*vars(due).values())
    run.assert_goal(prose(layouts_have_heads), layouts_have_heads(made) & (2 <= made.objects))
