"""Proofs of the kernel half: the law keeps its invariants, and the code of `impl/kernel_half.py` is the law's."""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.proofs import laws
from memoracle.proofs.obligations import Obligation
from memoracle.proofs.world import Sort, World
from memoracle.spec import kernel_half as law

PROCESS, INDEX = Sort("process"), Sort("index")
SORTS = {"process": PROCESS, "other": PROCESS, "anyone": PROCESS, "index": INDEX, "value": Sort("value")}
FUNCTIONS = {
    "master": laws.any_point("index"),
    "entry": laws.any_point("process", "index"),
    "lives": laws.any_point("process"),
    "pending": laws.any_point("process"),
}


def unknown(run: World) -> law.Halves:
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


LAW = laws.Law(
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


def obligations() -> Iterator[Obligation]:
    yield from laws.obligations(LAW)
