"""Proofs of what a heap with an arena must serve: where the law says that a block is found, there is a place for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from memoracle.proofs.components.heap import law as heap_law
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.symbolic.hypothesis_pool import HypothesisPool
from memoracle.spec import heap_room


def unknown(run: HypothesisPool) -> heap_room.Room:
    """Any heap, whatever it loses of each block, and whether or not it merges."""
    return heap_room.Room(
        heap=heap_law.unknown(run),
        overhead=run.number("overhead"),
        minimum=run.number("minimum"),
        merges=run.truth("merges"),
        held=run.function("held", "block"),
    )


PLACES = law_obligations.Law(
    "heap", heap_law.SORTS, {}, unknown, unknown, (), (), heap_room.PLACES, scope=heap_law.SCOPE
)
SIZES = replace(PLACES, theorems=heap_room.SIZES, integers=True)  # in which nothing is a power of two


def obligations() -> Iterator[Obligation]:
    yield from law_obligations.obligations(PLACES)
    yield from law_obligations.obligations(SIZES)
