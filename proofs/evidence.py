"""Settles all that there is to prove, on all processors."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from inspect import unwrap
from pathlib import Path
from typing import TypeAlias

from memoracle.proofs import (
    dependencies,  # first: it reads the files before the others are imported
    of_geometry,
    registry,
)
from memoracle.proofs.kept import FOLDER as VERDICTS
from memoracle.proofs.kept import Kept, kept
from memoracle.proofs.obligations import discharge, solver
from memoracle.proofs.obligations.discharge import Result
from memoracle.proofs.obligations.obligation import Computation, Obligation
from memoracle.proofs.obligations.process_pool import Failure, run_each
from memoracle.proofs.obligations.unsat_cores import noted_of
from memoracle.proofs.parts import component_of
from memoracle.spec.geometry import Geometry

CONTRACT = "contract"
CHECKS_CONTRACTS = "memoracle.proofs.contracts.crosshair"


class UnknownComponentError(ValueError):
    """An unknown component; the text names the known ones."""


class OptimizedError(ValueError):
    """Python skips assert statements, on which proofs and the stand-ins for containers rest."""


@dataclass(frozen=True)
class Piece:
    """One claim. unsettled: the result to report if settling it fails.  settle: settles the claim.

    together: pieces with the same name here, if it is not empty, are settled in one process.
    kept: where its verdict is kept, if it may be.  proof: what the solver is asked, if it is.
    modules: what its verdict depends on; None where that is not known.
    """

    unsettled: Result
    settle: Callable[[], Result]
    together: str = ""
    kept: Kept | None = None
    proof: Obligation | None = None
    use_cache: bool = True
    modules: frozenset[str] | None = None

    @property
    def part(self) -> Obligation | None:
        """What may be proved with others of the same claim."""
        return None if self.proof is None or self.proof.part_of is None else self.proof


# Settles the claims of each group; yields the place of a group and its results, or why it has none, as they come.
Settle: TypeAlias = Callable[[Sequence[Sequence[Piece]]], Generator[tuple[int, list[Result] | Failure], None, None]]


def pieces(
    names: Sequence[str], contracts: bool, use_cache: bool, machine: bool = False, geometry: Geometry | None = None
) -> list[Piece]:
    """The obligations of the named components, and the contracts of their code; of all components, if none is named.

    machine: those of the emulated processor too, whatever is named.  geometry: those about its sizes, too.
    Raises UnknownComponentError, OptimizedError.
    """
    if not __debug__:
        raise OptimizedError("nothing is proved where Python skips assert statements (-O, PYTHONOPTIMIZE)")
    promised = _contracts(use_cache) if contracts else []
    known = {*registry.COMPONENTS, *(piece.unsettled.component for piece in promised)}
    for name in names:
        if name not in known:
            raise UnknownComponentError(f"no component {name!r}: there are {', '.join(sorted(known))}")
    wanted = list(dict.fromkeys(names)) or sorted(known)
    found = []
    for component in wanted:
        if component in registry.COMPONENTS:
            found += [_obligation(each, use_cache) for each in registry.obligations([component])]
        if geometry is not None:  # no verdict on these is kept: they are made of more than the text of modules
            own = of_geometry.obligations(component, geometry)
            found += [replace(_obligation(each, use_cache), kept=None, modules=None) for each in own]
        found += [piece for piece in promised if piece.unsettled.component == component]
    return found + _emulated() if machine else found


def here(
    groups: Sequence[Sequence[Piece]], workers: int | None = None
) -> Generator[tuple[int, list[Result] | Failure], None, None]:
    """Settles the claims of each group in a process of this machine. workers: how many at once (see `run_each`).

    What dies with its process may have lacked memory that others took: it is tried again at the end, alone.
    """
    prepare({piece.unsettled.component for group in groups for piece in group})
    tasks = [partial(settle_together, group) for group in groups]
    died: dict[int, str] = {}
    with closing(run_each(tasks, workers)) as outcomes:
        for place, outcome in outcomes:
            if isinstance(outcome, Failure) and outcome.died:
                died[place] = outcome.reason
            else:
                yield place, outcome
    for place, reason in died.items():
        with closing(run_each([tasks[place]])) as outcomes:
            for _, outcome in outcomes:
                if isinstance(outcome, Failure):
                    yield place, Failure(f"{reason}; it was tried again, alone: {outcome.reason}")
                else:
                    yield place, [replace(each, tried_again=reason) for each in outcome]


def results(pieces: Sequence[Piece], settle: Settle = here) -> Generator[tuple[int, Result], None, None]:
    """The place in the sequence and the result of each, as they come. settle: the claims that are not settled yet."""
    found = [piece.kept.verdict() if piece.kept else None for piece in pieces]
    # What was proved at once has a share of one cost: if any of it is proved again, all of it is.
    again = {piece.together for piece, verdict in zip(pieces, found, strict=True) if piece.part and not verdict}
    left = []
    for place, (piece, verdict) in enumerate(zip(pieces, found, strict=True)):
        if verdict and not (piece.part and piece.together in again):
            yield place, verdict
        else:
            left.append(place)
    if left:
        yield from _settled(pieces, left, settle)


def _settled(pieces: Sequence[Piece], left: Sequence[int], settle: Settle) -> Generator[tuple[int, Result], None, None]:
    """The results of those pieces that are left."""
    known = durations()
    # What took longest before comes first, so that it does not run alone at the end; so does what was never timed.
    groups: dict[str, list[int]] = {}
    for place in left:
        groups.setdefault(pieces[place].together or f"#{place}", []).append(place)
    timed = {
        group: sum(known.get(pieces[place].unsettled.name, float("inf")) for place in places)
        for group, places in groups.items()
    }
    order = [groups[group] for group in sorted(groups, key=timed.__getitem__, reverse=True)]
    with closing(settle([[pieces[place] for place in places] for places in order])) as outcomes:
        for turn, outcome in outcomes:
            for number, place in enumerate(order[turn]):
                if isinstance(outcome, Failure):
                    yield place, replace(pieces[place].unsettled, counterexample=outcome.reason)
                    continue
                result = outcome[number]
                if not result.cached:
                    known[result.name] = result.seconds
                kept = pieces[place].kept
                if kept:
                    kept.keep(result)
                yield place, result
    _keep_durations(known)
    for folder in (solver.ANSWERS, VERDICTS):
        solver.prune(folder)


def prepare(components: Iterable[str]) -> None:
    """Reads once what all need that are started from here on."""
    solver.prepare()
    for component in components:
        noted_of(component)


def settle_together(pieces: Sequence[Piece]) -> list[Result]:
    """The results of claims that are settled in one process."""
    parts = [piece.part for piece in pieces if piece.part is not None]
    if len(parts) == len(pieces) > 1:
        return discharge.jointly(parts, pieces[0].use_cache)
    return [piece.settle() for piece in pieces]


def _obligation(of: Obligation | Computation, use_cache: bool) -> Piece:
    by = solver.VERSION if isinstance(of, Obligation) else "none"
    unsettled = Result(of.name, of.component, of.kind, of.claim, of.scope, "unknown", by, 0, 0, False, of.source, None)
    made_by = unwrap(of.body if isinstance(of, Obligation) else of.run).__module__
    is_known = dependencies.knows(made_by)
    return Piece(
        unsettled,
        partial(discharge.discharge, of, use_cache),
        of.together,
        kept(unsettled, made_by) if use_cache and is_known else None,
        of if isinstance(of, Obligation) else None,
        use_cache,
        dependencies.modules(of.component, made_by) if is_known else None,
    )


def _emulated() -> list[Piece]:
    """The claims that an emulated processor settles. It is loaded only where it is asked for."""
    from memoracle.proofs.emulator import run as machine_run

    def piece(of: Computation) -> Piece:
        found = _obligation(of, False)
        return replace(
            found,
            unsettled=replace(found.unsettled, solver=machine_run.PROCESSOR),
            settle=lambda: replace(discharge.discharge(of), solver=machine_run.PROCESSOR),
        )

    return [piece(each) for each in machine_run.computations()]


def _contracts(use_cache: bool) -> list[Piece]:
    """Those of all public functions. Only workers load CrossHair: it makes terms of its own while it is loaded."""
    ((_, listed),) = run_each([_promised])
    if isinstance(listed, Failure):
        raise RuntimeError(f"the contracts cannot be listed: {listed.reason}")
    return [
        Piece(
            unsettled,
            partial(_check, unsettled),
            kept=kept(unsettled, CHECKS_CONTRACTS) if use_cache else None,
            modules=dependencies.modules(unsettled.component, CHECKS_CONTRACTS),
        )
        for unsettled in listed
    ]


def _promised() -> list[Result]:
    from memoracle.proofs.contracts import crosshair
    from memoracle.proofs.contracts import docstrings as contract_text

    by = f"CrossHair {version('crosshair-tool')}"
    return [
        Result(
            f"{each.component}.{each.qualified}",
            component_of(each.component),
            CONTRACT,
            contract_text.claim(each),
            "bounded: nothing was run",
            "unknown",
            by,
            0,
            0,
            False,
            each.source,
            None,
        )
        for each in contract_text.functions(crosshair.IMPL)
    ]


def _check(unsettled: Result) -> Result:
    from memoracle.proofs.contracts import crosshair

    found = crosshair.check(unsettled.name, crosshair.IMPL)
    return replace(
        unsettled,
        scope=found.scope,
        verdict=found.verdict,
        seconds=round(found.seconds, 4),
        counterexample=found.counterexample,
    )


def durations() -> dict[str, float]:
    """The seconds that each claim took when it was last settled, as far as is known."""
    return solver.kept(_durations_file, dict[str, float]) or {}


def _keep_durations(known: dict[str, float]) -> None:
    with suppress(OSError, RuntimeError):
        solver.keep(_durations_file(), json.dumps(known))


def _durations_file() -> Path:
    return solver.cache_directory() / "durations.json"
