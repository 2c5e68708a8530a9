"""Proof that the reference starts as the law says, at every depth.

A real buddy system of each depth is constructed, and compared with the law's initial state block by block. One of
another depth is constructed beside it, with which it must share no container.
"""

from __future__ import annotations

from typing import Any

from memoracle.impl.buddy import Buddy
from memoracle.proofs.abstraction.distinct import share
from memoracle.proofs.components.buddy.law import DEEPEST, any_block, proved
from memoracle.proofs.components.buddy.symbolic_buddy import ATTRIBUTES
from memoracle.proofs.symbolic.containers import any_of
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec.blocks import whole


@proved(
    "whole.refines", "refinement", "the reference starts as the law says, at every depth, with containers of its own"
)
def whole_refines(run: Run) -> None:
    other = Buddy(DEEPEST)
    for depth in range(DEEPEST + 1):
        buddy: Any = Buddy(depth)
        free = [(order, block) for order, blocks in enumerate(buddy.free_blocks) for block in blocks]
        run.assert_goal("it has the attributes that proofs compare", vars(buddy).keys() == ATTRIBUTES)
        run.assert_goal("nothing is allocated", not buddy.allocated and not buddy.fixed and buddy.depth == depth)
        run.assert_goal("there are blocks of each order", len(buddy.free_blocks) > depth)
        run.assert_goal("no two containers are one", not share(buddy, other))
        order, block = any_block(run)
        found = any_of([(order == o) & (block == b) for o, b in free])
        run.assert_goal("the free blocks are the law's", found == whole(depth).is_free(order, block))
        other = buddy


CODE = (whole_refines,)
