"""Proofs of the law of the kernel half: its invariants are kept, and what follows from it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.obligation import Claims, Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HypothesisPool, Sort
from memoracle.spec import kernel_half as law
from memoracle.spec.clauses import Operation

PROCESS, INDEX = Sort("process"), Sort("index")
SORTS = {
    "process": PROCESS,
    "other": PROCESS,
    "anyone": PROCESS,
    "index": INDEX,
    "value": Sort("value"),
    "slot": Sort("slot"),
}
FUNCTIONS = {
    "master": law_obligations.any_point("index"),
    "entry": law_obligations.any_point("process", "index"),
    "lives": law_obligations.any_point("process"),
    "pending": law_obligations.any_point("process"),
}


def unknown(run: HypothesisPool) -> law.Halves:
    """Any number of processes, whatever is in their tables, with an update in flight or without."""
    index = run.number("index")
    run.touch(("index",), (index,))
    return law.Halves(
        master=run.function("master", "index"),
        entry=run.function("entry", "process", "index"),
        lives=run.relation("lives", "process"),
        updating=run.truth("updating"),
        index=index,
        value=run.number("value"),
        pending=run.relation("pending", "process"),
    )


LAW = law_obligations.Law(
    "kernel_half",
    SORTS,
    FUNCTIONS,
    unknown,
    lambda run: law.blank(),
    law.INVARIANTS,
    law.OPERATIONS,
    law.THEOREMS,
    integers=True,
)


proved = Claims("kernel_half", SORTS, integers=True)


def changes(operation: Operation, relation: Callable[..., Any]) -> Obligation:
    """That a relation between the states before and after an operation holds."""

    @proved(
        f"{law_obligations.short(operation)}.{relation.__name__.replace('_', '-')}",
        "theorem",
        law_obligations.prose(relation),
    )
    def body(run: Run) -> None:
        before, after, _ = law_obligations.happens(run, LAW, operation)
        points = tuple(inspect.signature(relation).parameters)[2:]
        run.assert_goal(law_obligations.prose(relation), relation(before, after, *run.point_of_each(points).values()))

    return body


THEOREMS = (
    law_obligations.leaves(LAW, law.create, law.half_is_complete),
    law_obligations.leaves(LAW, law.end_update, law.update_is_seen_by_all),
    *(changes(each, law.keeps_the_master) for each in law.OPERATIONS if each is not law.begin_update),
    *(changes(each, law.keeps_lower_halves) for each in law.OPERATIONS if each not in (law.create, law.write_lower)),
    *(changes(each, law.waits_for_nobody_else) for each in law.OPERATIONS if each is not law.begin_update),
)
