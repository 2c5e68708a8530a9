"""Proofs of the law of the kernel half: its invariants are kept, and what follows from it."""

from __future__ import annotations

from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.law_answers import any_state, one_answer
from memoracle.proofs.obligations.law_obligations import changes, leaves
from memoracle.proofs.obligations.obligation import Claims
from memoracle.proofs.symbolic.hypothesis_pool import HypothesisPool, Sort
from memoracle.spec import kernel_half as law

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


BEGINNING_NOTHING = tuple(each for each in law.OPERATIONS if each is not law.begin_update)
WRITING_NO_LOWER_HALF = tuple(each for each in law.OPERATIONS if each not in (law.create, law.write_lower))
THEOREMS = (
    leaves(LAW, law.create, law.half_is_complete),
    leaves(LAW, law.end_update, law.update_is_seen_by_all),
    *(changes(LAW, each, law.keeps_the_master) for each in BEGINNING_NOTHING),
    *(changes(LAW, each, law.keeps_lower_halves) for each in WRITING_NO_LOWER_HALF),
    *(changes(LAW, each, law.waits_for_nobody_else) for each in BEGINNING_NOTHING),
    one_answer(proved, any_state(LAW), law.reads_the_entry, ["value"]),
    one_answer(proved, any_state(LAW), law.table_is_whole, ["entries"]),
)
