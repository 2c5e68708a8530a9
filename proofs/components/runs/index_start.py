"""Proof that a new index of runs notes nothing, whatever its number of places."""

from __future__ import annotations

from typing import Any

from memoracle.impl import run_index as code
from memoracle.impl.run_index import RunIndex
from memoracle.proofs.abstraction.distinct import share
from memoracle.proofs.components.runs.symbolic_run_index import ATTRIBUTES, DEEPEST, proved
from memoracle.proofs.symbolic.execution import EndOfRunError, Run
from memoracle.spec.clauses import Number


def counting_levels(run: Run, depth: int) -> None:
    """Makes the code's range of as many numbers as an index of this depth has levels; claims that there are so many."""

    def stand_in(*limits: Number) -> range:
        with run.reading_law():
            run.assert_goal("it has a dictionary for each level", len(limits) == 1 and limits[0] == depth + 1)
        return range(depth + 1)

    run.replace(code, "range", stand_in)


@proved(
    "index.start.refines",
    "refinement",
    "a new index of any places notes nothing, and has containers of its own",
)
def start_refines(run: Run) -> None:
    """Each path is of another depth: there are any number of places that need just so many levels."""
    depth = sum(run.fork() << bit for bit in range(DEEPEST.bit_length()))
    if depth > DEEPEST:
        raise EndOfRunError
    counting_levels(run, depth)
    places = run.fresh("places", (1 << depth >> 1) + 1, 1 << depth)
    index: Any = run.call(RunIndex, places)
    other: Any = run.call(RunIndex, places)
    run.assert_goal("it has the attributes that proofs compare", vars(index).keys() == ATTRIBUTES)
    run.assert_goal("it has as many places as asked for", index.places is places)
    run.assert_goal("its highest block has all places, and no half of it has", index.depth == depth)
    run.assert_goal("a dictionary is there for each level", len(index.longest) == depth + 1)
    run.assert_goal("each is a dictionary that notes nothing", all(each == {} for each in index.longest))
    run.assert_goal("no two containers are one", not share(index, other))
