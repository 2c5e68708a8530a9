"""Claims that are named, so that another process settles them: it needs nothing but this package."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache

from memoracle.proofs import evidence
from memoracle.proofs.evidence import Piece
from memoracle.proofs.obligations.discharge import Result
from memoracle.proofs.obligations.process_pool import Failure
from memoracle.spec.geometry import Geometry


@dataclass(frozen=True)
class Source:
    """Where claims come from: what `evidence.pieces` is asked for them."""

    component: str
    contracts: bool
    use_cache: bool
    machine: bool
    geometry: Geometry | None


@dataclass(frozen=True)
class Named:
    """Some claims. groups: the names of those that are settled together."""

    source: Source
    groups: tuple[tuple[str, ...], ...]


@lru_cache(maxsize=1)  # a process is mostly asked for claims of the same source
def by_name(source: Source) -> dict[str, Piece]:
    """The claims of a source by their names."""
    found = evidence.pieces([source.component], source.contracts, source.use_cache, source.machine, source.geometry)
    return {piece.unsettled.name: piece for piece in found}


def settle_named(named: Named) -> list[list[Result] | Failure]:
    """The results of each group, or why it has none; each is settled in a process of its own, as everywhere."""
    known = by_name(named.source)
    groups = [[known[name] for name in group] for group in named.groups]
    with closing(evidence.here(groups, 1)) as outcomes:
        found = dict(outcomes)
    return [found[place] for place in range(len(groups))]
