"""Tries a fault: in a process of its own, proofs are built from the faulty module in place of the sound one."""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import resource
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Protocol, TypeAlias

import msgspec

from memoracle.proofs.mutation.operators.mutants import Mutant, mutants
from memoracle.proofs.obligations import solver
from memoracle.proofs.obligations.process_pool import Failure, run_each
from memoracle.proofs.parts import parts_of
from memoracle.proofs.processor_time import limited

if TYPE_CHECKING:  # a process that seeds a fault imports what may depend on it afterwards
    from memoracle.proofs.obligations.obligation import Computation, Obligation

ROOT = Path(__file__).parents[2]
SECONDS = 120  # of a processor's time for each fault
BUILDING = 15  # of these, to import the faulty module and list the claims
BROKEN_AT_MOST = 4  # of the claims that a fault is tried on, until it counts as one that fails to run
MEMORY = 4 << 30  # bytes
BUDGET = 40_000_000  # of the solver's for a goal: where there is a counterexample, it is mostly found soon

# By a claim's name, the seconds that it may take.
Limits: TypeAlias = Mapping[str, int]


class Verdict(msgspec.Struct, frozen=True):
    """What became of a fault.

    outcome: `refuted`, `broken` (what it is tried on cannot be run), `unknown` or `survived`.  by: the obligation that
    refutes it, or the reason.  kind: `proof` or `run`, whichever refutes it.
    """

    outcome: str
    by: str
    kind: str = ""


def tree_of(module: str) -> ast.Module:
    return ast.parse((ROOT / module).read_text(encoding="utf-8"))


def modules_of(component: str) -> list[str]:
    named = [f"{side}/{part}.py" for part in parts_of(component) for side in ("impl", "spec")]
    return [module for module in named if (ROOT / module).exists()]


def faults(component: str) -> list[Mutant]:
    """All that are seeded in a component's reference and law."""
    return [
        mutant
        for module in modules_of(component)
        for mutant in mutants(module, tree_of(module), law=module.startswith("spec/"))
    ]


# A faulty module


class Fault(Protocol):
    """A module of the reference or of the law with something broken in it."""

    @property
    def module(self) -> str:
        """The module's file, as `impl/buddy.py`."""

    def applied(self) -> ast.Module:
        """The whole module with the fault."""


class Seeded(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module of this package as this code."""

    def __init__(self, module: str, tree: ast.Module) -> None:
        self.name = "memoracle." + module.removesuffix(".py").replace("/", ".")
        self.code = compile(tree, str(ROOT / module), "exec")
        self.text = ast.unparse(tree)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.util.spec_from_loader(name, self, origin=self.code.co_filename) if name == self.name else None

    def exec_module(self, module: ModuleType) -> None:
        exec(self.code, module.__dict__)

    def get_source(self, name: str) -> str:
        """The source of the faulty module, for what reads it."""
        return self.text


def seed(fault: Fault) -> None:
    """From now on the faulty module is imported; neither it nor the sound one has been yet."""
    seeded = Seeded(fault.module, fault.applied())
    if seeded.name in sys.modules:
        raise RuntimeError(f"{seeded.name} is imported already")
    sys.meta_path.insert(0, seeded)


# Whether a fault is found


def tried(
    fault: Fault, component: str, names: Callable[[], Sequence[str]], seconds: int = SECONDS, each: Limits | None = None
) -> Verdict:
    """What becomes of a fault in the claims of these names, tried in this order until one refutes it.

    names: asked when the trial begins.  seconds: of a processor's time, for all claims together.  each: for single
    claims, if less.
    """
    # The solver heeds no gentler way; and a fault may make a loop endless, or a list.
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    order = names()
    seed(fault)
    solver.RLIMIT = BUDGET
    try:
        late = TimeoutError(f"not done within {BUILDING} seconds of a processor")
        with limited(BUILDING, late, signal.ITIMER_PROF):
            from memoracle.proofs.registry import COMPONENTS as ALL

            every = {obligation.name: obligation for obligation in ALL[component]()}
    except ImportError as error:  # that is not for the fault
        return Verdict("unknown", f"import: {error}")
    except Exception as error:
        return Verdict("broken", f"import: {type(error).__name__}: {error}")
    worst = Verdict("survived", f"{len(order)} claims")
    broken = 0
    for group in _groups(order, every):
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        left = seconds - round(used.ru_utime + used.ru_stime)
        if left < 1:
            return worst if worst.outcome == "broken" else Verdict("unknown", f"{group[0]}: no time is left")
        limit = min(left, sum((each or {}).get(name, seconds) for name in group))
        [(_, found)] = run_each([partial(_settled, [every.get(name) for name in group], limit)])
        failed = Verdict("unknown", f"{group[0]}: {found.reason}") if isinstance(found, Failure) else found
        if failed.outcome == "refuted":
            return failed
        broken += failed.outcome == "broken"
        if broken == BROKEN_AT_MOST:
            return failed
        if failed.outcome != "survived" and worst.outcome != "broken":
            worst = failed
    return worst


def _groups(order: Sequence[str], every: Mapping[str, Obligation | Computation]) -> list[list[str]]:
    """The claims in this order, those in one group that share what they run."""
    groups: dict[str, list[str]] = {}
    for name in order:
        groups.setdefault(getattr(every.get(name), "together", "") or f"only {name}", []).append(name)
    return list(groups.values())


def _settled(claims: Sequence[Obligation | Computation | None], seconds: int) -> Verdict:
    """The verdict of these claims on the fault: that of the first that refutes it, or else the gravest."""
    from memoracle.proofs.obligations.discharge import discharge
    from memoracle.proofs.obligations.obligation import Obligation

    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    worst = Verdict("survived", f"{len(claims)} claims")
    whole = claims[0].part_of if len(claims) > 1 and isinstance(claims[0], Obligation) else None
    with suppress(Exception):  # then the claims are tried one by one
        if whole is not None and discharge(whole).verdict == "proved":
            return worst
    for claim in claims:
        if claim is None:
            return Verdict("broken", "there is no such claim")
        try:
            verdict = discharge(claim).verdict
        except Exception as error:
            worst = Verdict("broken", f"{claim.name}: {type(error).__name__}: {error}")
            continue
        if verdict in ("refuted", "vacuous"):
            return Verdict("refuted", claim.name, "proof" if isinstance(claim, Obligation) else "run")
        if verdict != "proved" and worst.outcome == "survived":
            worst = Verdict("unknown", f"{claim.name}: {verdict}")
    return worst
