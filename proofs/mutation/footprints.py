"""Finds which claims may refute a fault, and the cheapest: what code each claim runs, and how long that took."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING

import msgspec

from memoracle.proofs.mutation.operators.mutants import Key, Mutant
from memoracle.proofs.mutation.results import text_of
from memoracle.proofs.mutation.seeding import ROOT, modules_of
from memoracle.proofs.obligations import solver
from memoracle.proofs.obligations.process_pool import Failure, run_each

if TYPE_CHECKING:  # only workers import what faults are seeded in
    from memoracle.proofs.obligations.obligation import Obligation

UNTIMED = 5.0  # seconds, of a claim that was never timed
LEAST, TIMES = 20, 5  # a claim about a faulty module may take so many seconds, or so many times as long as usual


class BrokenProofsError(Exception):
    """The proofs of the sound modules cannot be run."""


class Footprint(msgspec.Struct, frozen=True):
    """What a claim needs.

    kind: `proof` or `run`.  seconds: that it took when it was last settled.  lines: by module, the first lines of the
    functions that the proof runs; None of what is settled by a run, which may run all.
    """

    kind: str
    seconds: float
    lines: dict[str, list[int]] | None

    @property
    def limit(self) -> int:
        """The seconds that it may take where a fault is seeded."""
        return max(LEAST, round(TIMES * self.seconds))


def footprints(component: str, jobs: int | None) -> dict[str, Footprint]:
    """Of each claim of the component, on the sound modules. Raises BrokenProofsError."""
    path = solver.cache_directory() / "mutants" / f"footprints-{component}-{text_of(component)}.json"
    if (kept := solver.kept(lambda: path, dict[str, Footprint])) is not None:
        return kept
    [(_, found)] = run_each([partial(_footprints, component, jobs)])
    if isinstance(found, Failure):
        raise BrokenProofsError(f"{component}: its claims cannot be run: {found.reason}")
    with suppress(OSError):
        solver.keep(path, msgspec.json.encode(found).decode())
    return found


def _footprints(component: str, jobs: int | None) -> dict[str, Footprint]:
    from memoracle.proofs.evidence import durations
    from memoracle.proofs.obligations.obligation import Obligation
    from memoracle.proofs.registry import COMPONENTS as ALL

    seconds, claims = durations(), list(ALL[component]())
    found = {each.name: Footprint("run", seconds.get(each.name, UNTIMED), None) for each in claims}
    proofs = [each for each in claims if isinstance(each, Obligation)]
    for place, lines in run_each([partial(_lines, component, each) for each in proofs], jobs):
        name = proofs[place].name
        if isinstance(lines, Failure):
            raise BrokenProofsError(f"{name}: {lines.reason}")
        found[name] = Footprint("proof", found[name].seconds, lines)
    return found


def _lines(component: str, claim: Obligation) -> dict[str, list[int]]:
    from memoracle.proofs.symbolic.execution import explore

    files = {str(ROOT / module): module for module in modules_of(component)}
    called: dict[str, set[int]] = {module: set() for module in files.values()}

    def note(frame: FrameType, event: str, _: object) -> None:
        module = files.get(frame.f_code.co_filename)
        if event == "call" and module is not None:
            called[module].add(frame.f_code.co_firstlineno)

    sys.setprofile(note)
    try:
        for path in explore(claim.sorts, claim.body, claim.integers):
            list(path.hypotheses(claim.rounds))  # which reads the clauses that are taken as given
    finally:
        sys.setprofile(None)
    return {module: sorted(lines) for module, lines in called.items()}


class Order:
    """In which order the claims of a component are tried on its faults: cheapest first, learning from each verdict."""

    def __init__(self, known: dict[str, Footprint], killers: dict[str, str]) -> None:
        """killers: by fault, the claim that refuted it when it was last tried."""
        self.known = known
        self.killers = killers
        self.lately: dict[str, list[str]] = {}  # by function, the claims that refuted its faults, the last one first

    def claims(self, mutant: Mutant) -> list[str]:
        """Those that may find a fault: what refuted it before, what refuted others of its function, then the rest."""
        left = [name for name in sorted(self.known, key=self._cost) if self._concerns(name, mutant)]
        first = [*self._before(mutant), *self.lately.get(mutant.function, [])]
        return list(dict.fromkeys([*(name for name in first if name in left), *left]))

    def learn(self, mutant: Mutant, by: str) -> None:
        """A claim has refuted a fault."""
        lately = self.lately.setdefault(mutant.function, [])
        if by in lately:
            lately.remove(by)
        lately.insert(0, by)

    def _before(self, mutant: Mutant) -> Iterator[str]:
        name = self.killers.get(in_one_line(mutant.key))
        if name is not None:
            yield name

    def _cost(self, name: str) -> float:
        return self.known[name].seconds

    def _concerns(self, name: str, mutant: Mutant) -> bool:
        lines = self.known[name].lines
        return lines is None or mutant.code is None or mutant.code in lines[mutant.module]


def in_one_line(key: Key) -> str:
    return " ".join(map(str, key))
