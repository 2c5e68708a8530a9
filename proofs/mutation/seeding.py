"""Puts a faulty module in the place of the sound one, in a process of its own, where the proofs are built anew.

First the solver's proofs are tried, those that run the least besides the fault before the others; then, of what is
left, the exhaustive runs.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType, ModuleType
from typing import Protocol, TypeAlias

import msgspec

from memoracle.proofs.mutation.operators import Key, Mutant, mutants
from memoracle.proofs.obligations import solver
from memoracle.proofs.obligations.process_pool import Failure, run_each
from memoracle.proofs.parts import parts_of

ROOT = Path(__file__).parents[2]
SECONDS = 120  # of a processor's time for each fault
MEMORY = 4 << 30  # bytes
BUDGET = 40_000_000  # of the solver's for a goal: where there is a counterexample, it is mostly found soon

# By an obligation's name: the first lines of all functions of a module that it runs.
Lines: TypeAlias = dict[str, dict[str, list[int]]]


class Verdict(msgspec.Struct, frozen=True):
    """What became of a fault.

    outcome: `refuted`, `broken` (what it is tried on cannot be run), `unknown` or `survived`.  by: the first obligation
    that says so, or the reason.
    """

    outcome: str
    by: str


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
        """What the module says, for those who read it."""
        return self.text


def seed(fault: Fault) -> None:
    """From now on the faulty module is imported; it was not before."""
    seeded = Seeded(fault.module, fault.applied())
    if seeded.name in sys.modules:
        raise RuntimeError(f"{seeded.name} is imported already")
    sys.meta_path.insert(0, seeded)


# What a proof runs


def lines_run(component: str) -> Lines:
    """The functions that each of the component's proofs runs, of the sound modules."""
    from memoracle.proofs.obligations.obligation import Obligation
    from memoracle.proofs.registry import COMPONENTS as ALL
    from memoracle.proofs.symbolic.execution import explore

    files = {str(ROOT / module): module for module in modules_of(component)}
    run: Lines = {}
    for obligation in ALL[component]():
        if not isinstance(obligation, Obligation):
            continue
        called: dict[str, set[int]] = {module: set() for module in files.values()}

        def note(frame: FrameType, event: str, _: object, called: dict[str, set[int]] = called) -> None:
            module = files.get(frame.f_code.co_filename)
            if event == "call" and module is not None:
                called[module].add(frame.f_code.co_firstlineno)

        sys.setprofile(note)
        try:
            for path in explore(obligation.sorts, obligation.body, obligation.integers):
                list(path.hypotheses(obligation.rounds))  # which reads the clauses that are taken as given
        finally:
            sys.setprofile(None)
        run[obligation.name] = {module: sorted(lines) for module, lines in called.items()}
    return run


def concerned(mutant: Mutant, lines: Lines) -> list[str]:
    """The proofs that run what is changed, and so may find it: those that run the least else come first."""
    names = [name for name, run in lines.items() if mutant.code is None or mutant.code in run[mutant.module]]
    return sorted(names, key=lambda name: sum(map(len, lines[name].values())))


# Whether a fault is found


def tried(fault: Fault, component: str, phase: str, names: Sequence[str], seconds: int = SECONDS) -> Verdict:
    """What becomes of a fault in the proofs of these names, or in the exhaustive runs."""
    # The solver heeds no gentler way; and a fault may make a loop endless, or a list.
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    seed(fault)
    solver.RLIMIT = BUDGET
    try:
        from memoracle.proofs.obligations.discharge import discharge
        from memoracle.proofs.obligations.obligation import Computation
        from memoracle.proofs.registry import COMPONENTS as ALL

        every = {obligation.name: obligation for obligation in ALL[component]()}
    except Exception as error:
        return Verdict("broken", f"import: {type(error).__name__}: {error}")
    if phase == "runs":
        names = [name for name, each in every.items() if isinstance(each, Computation)]
    worst = Verdict("survived", f"{len(names)} {phase}")
    for name in names:
        try:
            verdict = discharge(every[name]).verdict
        except Exception as error:
            worst = Verdict("broken", f"{name}: {type(error).__name__}: {error}")
            continue
        if verdict in ("refuted", "vacuous"):
            return Verdict("refuted", name)
        if verdict != "proved" and worst.outcome == "survived":
            worst = Verdict("unknown", f"{name}: {verdict}")
    return worst


def _kept(key: str) -> Verdict | None:
    try:
        return msgspec.json.decode(_file(key).read_bytes(), type=Verdict)
    except (OSError, RuntimeError, msgspec.DecodeError):
        return None


def _file(key: str) -> Path:
    return solver.cache_directory() / "mutants" / f"{key}.json"


def _hash(*parts: object) -> str:
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()


def name_of(phase: str, text: str, key: Key) -> str:
    """Of the file that a verdict is kept in."""
    return _hash(phase, text, *key)


def sources() -> str:
    """What all verdicts hang on: the text of the law, the reference and the proofs."""
    own = {"score.py", "operators.py", "seeding.py", "find_unsat_cores.py"}
    files = [each for side in ("spec", "impl", "proofs") for each in sorted((ROOT / side).rglob("*.py"))]
    return _hash(solver.VERSION, *(each.read_text(encoding="utf-8") for each in files if each.name not in own))


def settle(
    tasks: dict[str, Callable[[], Verdict]], again: bool, advance: Callable[[], None]
) -> Iterator[tuple[str, Verdict]]:
    """The verdict of each task by its key, kept from before or found now."""
    left = {}
    for key, task in tasks.items():
        kept = _kept(key)
        if kept is None or (again and kept.outcome != "refuted"):
            left[key] = task
        else:
            advance()
            yield key, kept
    keys = list(left)
    for place, result in run_each(list(left.values())):
        verdict = Verdict("unknown", result.reason) if isinstance(result, Failure) else result
        with suppress(OSError, RuntimeError):
            solver.keep(_file(keys[place]), msgspec.json.encode(verdict).decode())
        advance()
        yield keys[place], verdict
