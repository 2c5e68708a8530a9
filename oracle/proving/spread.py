"""`prove` by many workers: claims travel by their names, and each is settled in a process of its own, as here."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from functools import partial

from memoracle.proofs.evidence import CONTRACT, Piece, Settle, durations, here
from memoracle.proofs.named_claims import Named, Source, settle_named
from memoracle.proofs.obligations.discharge import Result
from memoracle.proofs.obligations.process_pool import Failure
from memoracle.scaling.workers import Lost, Workers
from memoracle.spec.geometry import Geometry

UNIT_SECONDS = 8.0  # that a unit takes, about: a worker first loads what it proves, which takes one or two
UNKNOWN_SECONDS = 1.0  # that a claim counts for which was never timed


def settling(
    jobs: int | None, workers: Workers | None, machine: bool = False, geometry: Geometry | None = None
) -> Settle:
    """What settles claims: workers, if there are any, and else so many processes of this machine.

    machine, geometry: as of `evidence.pieces`.
    """
    if workers is None:
        return partial(here, workers=jobs)
    return partial(_settled, workers, machine, geometry)


def _settled(
    workers: Workers, machine: bool, geometry: Geometry | None, groups: Sequence[Sequence[Piece]]
) -> Generator[tuple[int, list[Result] | Failure], None, None]:
    units = _units(groups, workers.count, machine, geometry)
    named = [Named(source, tuple(_names(groups[turn]) for turn in turns)) for source, turns in units]
    with closing(workers.done(settle_named, named, is_of_claims)) as coming:
        for place, outcome in coming:
            for number, turn in enumerate(units[place][1]):
                yield turn, Failure(outcome.reason) if isinstance(outcome, Lost) else outcome[number]


def is_of_claims(named: Named, found: object) -> bool:
    """Whether it is, for each group of claims, the result of each of these or why there is none."""
    return (
        isinstance(found, list)
        and len(found) == len(named.groups)
        and all(
            isinstance(each, Failure) or _is_of(group, each) for group, each in zip(named.groups, found, strict=True)
        )
    )


def _is_of(names: Sequence[str], found: object) -> bool:
    """Whether it is the results of these claims, in their order."""
    return isinstance(found, list) and all(isinstance(each, Result) for each in found) and _named(found) == names


def _named(results: Sequence[Result]) -> tuple[str, ...]:
    return tuple(each.name for each in results)


def _names(group: Sequence[Piece]) -> tuple[str, ...]:
    return tuple(piece.unsettled.name for piece in group)


def _units(
    groups: Sequence[Sequence[Piece]], count: int, machine: bool, geometry: Geometry | None
) -> list[tuple[Source, list[int]]]:
    """Groups of one source together, in their order, so that a unit is worth its way and each worker has some."""
    known = durations()
    times = [sum(known.get(name, UNKNOWN_SECONDS) for name in _names(group)) for group in groups]
    most = min(UNIT_SECONDS, sum(times) / count)
    units: list[tuple[Source, list[int]]] = []
    open_units: dict[Source, tuple[float, list[int]]] = {}
    for turn, group in enumerate(groups):
        of = group[0]
        contracts = of.unsettled.kind == CONTRACT
        source = Source(of.unsettled.component, contracts, of.use_cache, machine, geometry)
        room, turns = open_units.get(source, (0.0, []))
        if room < times[turn]:
            room, turns = most, []
            units.append((source, turns))
        turns.append(turn)
        open_units[source] = room - times[turn], turns
    return units
