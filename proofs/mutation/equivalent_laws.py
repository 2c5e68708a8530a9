"""Asks the solver whether a fault in the law changes nothing: whether each operation allows and does the same.

The law is imported a second time, with the fault, as another package. In any state that satisfies the sound law's
invariants, each operation of the component must be allowed for the same arguments and choices, and leave the same
state.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from inspect import unwrap
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from memoracle.proofs.mutation.operators.mutants import Mutant
from memoracle.proofs.mutation.seeding import ROOT, Verdict, modules_of

if TYPE_CHECKING:
    from memoracle.proofs.obligations.law_obligations import Law
    from memoracle.proofs.obligations.obligation import Obligation
    from memoracle.proofs.symbolic.execution import Run
    from memoracle.spec.clauses import Operation

SOUND, FAULTY = "memoracle.spec", "memoracle_with_a_fault"


class Faulty(MetaPathFinder, Loader):
    """Imports the modules of the law as those of another package, one of them with a fault."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name.partition(".")[0] != FAULTY:
            return None
        return importlib.util.spec_from_loader(name, self, is_package=name == FAULTY)

    def exec_module(self, module: ModuleType) -> None:
        if module.__name__ == FAULTY:
            return
        file = f"spec/{module.__name__.removeprefix(f'{FAULTY}.')}.py"
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        tree = self.mutant.applied() if file == self.mutant.module else tree
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                node.module = node.module.replace(SOUND, FAULTY)
        exec(compile(tree, file, "exec"), module.__dict__)


def changes_nothing(mutant: Mutant, component: str, ghosts: Sequence[str]) -> Verdict:
    """`proved` if the solver proves that the fault changes nothing, or else what it finds and where.

    To be called in a process of its own.  ghosts: the parts of the state that no implementation keeps, and that may
    differ.
    """
    from memoracle.proofs.obligations.discharge import discharge
    from memoracle.spec import clauses

    sys.meta_path.insert(0, Faulty(mutant))
    sys.modules[f"{FAULTY}.{clauses.__name__.rpartition('.')[2]}"] = clauses  # both laws are written in the same words
    compared = 0
    for obligation in _obligations(mutant, component, ghosts):
        result = discharge(obligation)
        if result.verdict not in ("proved", "vacuous"):
            found = (result.counterexample or "").split("\n", 1)[0]
            return Verdict(result.verdict, f"{obligation.name}: {result.verdict}: {found}")
        compared += result.verdict == "proved"
    return Verdict("proved", f"{compared} claims") if compared else Verdict("vacuous", "no operation was compared")


def _obligations(mutant: Mutant, component: str, ghosts: Sequence[str]) -> Iterator[Obligation]:
    for sound, faulty in _operations(component):
        for law in _laws(component):
            if _is_of(sound, law) and _reads(sound, mutant):
                yield _same(law, sound, sound, faulty, ghosts)
                yield _same(law, faulty, sound, faulty, ghosts)


def _operations(component: str) -> Iterator[tuple[Operation, Operation]]:
    """Each operation of the component's law, without and with the fault."""
    from memoracle.spec.clauses import Operation

    for file in modules_of(component):
        if file.startswith("spec/"):
            name = file.removeprefix("spec/").removesuffix(".py")
            sound, faulty = (importlib.import_module(f"{package}.{name}") for package in (SOUND, FAULTY))
            for word, value in vars(sound).items():
                if isinstance(value, Operation) and value.effect.__module__ == sound.__name__:
                    yield value, getattr(faulty, word)


def _laws(component: str) -> list[tuple[str, Law[Any]]]:
    """The component's laws, each with the name of its states' class."""
    from memoracle.proofs.components import pat
    from memoracle.proofs.components.heap import law as heap
    from memoracle.proofs.components.paging import entries
    from memoracle.proofs.obligations.law_obligations import Law
    from memoracle.proofs.registry import LAWS

    states = {
        "bitmap": "Frames",
        "buddy": "Blocks",
        "kernel_half": "Halves",
        "manager": "Memory",
        "paging": "Mappings",
        "runs": "Places",
    }
    found = [(states.get(component, "Heap"), LAWS[component])] if component in LAWS else []
    more: dict[str, tuple[str, Law[Any]]] = {
        "pat": ("Pat", Law("pat", pat.SORTS, {}, pat.any_table, pat.any_table, (), ())),
        "paging": ("Entries", Law("paging", entries.SORTS, {}, entries.any_processor, entries.any_processor, (), ())),
        "heap": ("Reserve", heap.RESERVE),
    }
    return [*found, *([more[component]] if component in more else [])]


def _is_of(operation: Operation, law: tuple[str, Law[Any]]) -> bool:
    first = next(iter(inspect.signature(operation.effect).parameters.values()))
    return str(first.annotation) == law[0]


def _reads(operation: Operation, mutant: Mutant) -> bool:
    """Whether the operation is made of the function that is changed."""
    changed = SOUND.partition(".")[0] + "." + mutant.module.removesuffix(".py").replace("/", ".")
    name = mutant.function.partition(".")[0]
    if not name:
        return True
    waiting, known = [operation.effect, *(clause.holds for clause in operation.guard)], set[object]()
    while waiting:
        function = unwrap(waiting.pop())
        if not isinstance(function, FunctionType) or function in known:
            continue
        known.add(function)
        if (function.__module__, function.__name__) == (changed, name):
            return True
        waiting += _named(function)
    return False


def _named(function: FunctionType) -> Iterator[Any]:
    """The functions that a function's text may call: by their names, or by those of a module and of one in it."""
    names = set(_names(function.__code__))
    for word in names & function.__globals__.keys():
        value = function.__globals__[word]
        found = [getattr(value, each, None) for each in names] if isinstance(value, ModuleType) else [value]
        for each in found:
            yield from _functions(each)


def _functions(value: object) -> Iterator[object]:
    """What a word of the law is made of."""
    from memoracle.spec.clauses import Clause, Operation

    if isinstance(value, Operation):
        yield value.effect
        yield from (clause.holds for clause in value.guard)
    else:
        yield value.holds if isinstance(value, Clause) else value


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _names(each)


def _instantiate(run: Run, states: str, before: Any, values: dict[str, Any]) -> None:
    """Names points at which the invariants are needed."""
    if states == "Blocks" and "page" in values:  # the largest blocks have no buddies
        run.touch(("order", "block"), (before.highest, (values["page"] >> before.highest) ^ 1))
    if states == "Memory" and "process" in values and "first" in values:  # the first page of a block
        run.touch(("process", "kernel_page"), (values["process"], values["first"]))


def _same(
    of: tuple[str, Law[Any]], allowed: Operation, sound: Operation, faulty: Operation, ghosts: Sequence[str]
) -> Obligation:
    """Claims that where one of two operations is allowed the other is, and does the same."""
    from memoracle.proofs.components.paging import entries
    from memoracle.proofs.obligations import law_obligations
    from memoracle.proofs.obligations.obligation import Obligation

    law = of[1]
    other = faulty if allowed is sound else sound

    def points(run: Run, names: Sequence[str]) -> dict[str, Any]:
        found: dict[str, object] = {}
        for name in names:
            if name == "level" and of[0] == "Entries":
                found[name] = entries.any_level(run)
            else:
                found[name] = run.point(name) if name in law.sorts else run.truth(name)
        return found

    def body(run: Run) -> None:
        before = law.unknown(run)
        run.assume_all([*law.given, *law.invariants], before)
        values = points(run, allowed.points)
        _instantiate(run, of[0], before, values)
        law_obligations.permitted(run, allowed, before, values)
        for clause in other.guard:
            at = {**points(run, [point for point in clause.points if point not in values]), **values}
            run.assert_goal(clause.says, clause(before, *(at[point] for point in clause.points)))
        one, two = (each(before, *values.values()) for each in (sound, faulty))
        law_obligations.same_state(run, law, one, two, ghosts)

    name = f"{law_obligations.short(sound)}.{'allows-no-less' if allowed is sound else 'allows-no-more'}"
    return Obligation(
        name, law.component, "theorem", "the fault changes nothing", body, law.sorts, integers=law.integers
    )
