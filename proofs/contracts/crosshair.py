"""CrossHair's verdict on the contract of every public function of impl/.

A contract stands in a docstring (PEP 316): its first sentence says what the function is for, `pre:` when it may be
called, `post:` what then holds, and the class's `inv:` what holds before and after each method. A verdict is earned:
each condition that the docstring has must be read by CrossHair, and all be confirmed over all paths, having held in
every case of the small scope that the precondition admits.
"""

from __future__ import annotations

import copyreg
import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from crosshair.condition_parser import (
    CompositeConditionParser,
    ConditionExpr,
    Conditions,
    Pep316Parser,
    condition_parser,
)
from crosshair.core import ConditionCheckable
from crosshair.core_and_libs import MessageType
from crosshair.fnutil import FunctionInfo
from crosshair.options import DEFAULT_OPTIONS, AnalysisKind, AnalysisOptionSet
from crosshair.tracers import NoTracing

from memoracle.proofs.contracts.docstrings import PublicFunction, claim, functions, written
from memoracle.proofs.contracts.scope import STATES_AT_MOST
from memoracle.proofs.contracts.slots import slots
from memoracle.proofs.contracts.states import cases as cases_of
from memoracle.proofs.contracts.states import scope_of, snapshot, states

Verdict = Literal["proved", "refuted", "unknown", "vacuous"]
IMPL = "memoracle.impl"
KINDS = (AnalysisKind.PEP316,)
# Processor seconds, some hundred times what a condition and a path need.
OPTIONS = DEFAULT_OPTIONS.overlay(
    AnalysisOptionSet(analysis_kind=KINDS, per_condition_timeout=600.0, per_path_timeout=60.0, report_all=True)
)

NO_CONTRACT: tuple[Verdict, str] = ("vacuous", "no contract: the docstring needs a sentence and a post: line")


@dataclass(frozen=True)
class ContractResult:
    """What CrossHair found about one function. seconds: of one processor.  conditions: how many the contract has."""

    name: str
    component: str
    claim: str
    verdict: Verdict
    seconds: float
    source: str
    counterexample: str | None
    conditions: int
    scope: str


def public_functions(package: str = IMPL) -> list[str]:
    """The names of all public functions of a package, as "module.function" or "module.Class.method"."""
    return [f"{each.component}.{each.qualified}" for each in functions(package)]


def conditions(package: str = IMPL) -> dict[str, int]:
    """How many conditions the docstrings give each public function: its `post:` and its class's `inv:` lines.

    0 means that it has no contract: a function of its own that promises nothing.
    """
    return {f"{each.component}.{each.qualified}": written(each)[1] for each in functions(package)}


def run(component: str | None = None, package: str = IMPL) -> Iterator[ContractResult]:
    """The verdict on every public function, or on those of one component, in the order of `public_functions`."""
    names = [name for name in public_functions(package) if component in (None, name.partition(".")[0])]
    # A process of its own for each worker: CrossHair's registrations and z3's context stay out of the caller's.
    workers = min(os.cpu_count() or 1, len(names)) or 1
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(check, names, [package] * len(names))


def check(name: str, package: str = IMPL) -> ContractResult:
    """The verdict on one public function."""
    start = time.process_time()
    function = next(each for each in functions(package) if f"{each.component}.{each.qualified}" == name)
    verdict, message, scope = _verdict(function)
    return ContractResult(
        name,
        function.component,
        claim(function),
        verdict,
        time.process_time() - start,
        function.source,
        message,
        written(function)[1],
        scope,
    )


@cache
def parsed(function: PublicFunction) -> Conditions | None:
    """What CrossHair reads of a contract."""
    with condition_parser(KINDS) as parser:
        if function.owner is None:
            return parser.get_fn_conditions(_info(function))
        return parser.get_class_conditions(function.owner).methods.get(function.name)


def _info(function: PublicFunction) -> FunctionInfo:
    return FunctionInfo(function.context, function.name, vars(function.context)[function.name])


def _verdict(function: PublicFunction) -> tuple[Verdict, str | None, str]:
    """The worst verdict of a function's conditions, CrossHair's message, and the scope."""
    contract, scope = parsed(function), f"bounded: {scope_of(function).said}"
    fault = _fault_of(function, contract)
    if fault is not None or contract is None:
        return *(fault or NO_CONTRACT), scope
    cases = cases_of(function)
    if cases is None:
        return *_confirm(function, contract, None), scope
    if not cases:
        return "vacuous", "no case of the scope satisfies the precondition", scope
    found = f"{len(states(function))} reachable states, " if function.owner else ""
    scope += f"; {found}{len(cases):,} cases"
    if function.owner is not None:
        copyreg.pickle(function.owner, snapshot)
    verdict, message = _confirm(function, _narrowed(contract, cases), len(cases))
    if verdict == "proved" and function.owner and len(states(function)) >= STATES_AT_MOST:
        return "unknown", f"more than {STATES_AT_MOST} states", scope
    return verdict, message, scope


def _fault_of(function: PublicFunction, contract: Conditions | None) -> tuple[Verdict, str] | None:
    """What is wrong with a contract before anything is run: it is empty, or CrossHair reads it otherwise."""
    before, after = written(function)
    if not claim(function) or not after or contract is None:
        return NO_CONTRACT
    errors = [message.message for message in contract.syntax_messages()]
    if errors:
        return "refuted", f"a condition is not Python: {errors[0]}"
    if (len(contract.pre), len(contract.post)) != (before, after):
        read = f"{len(contract.pre)} and {len(contract.post)} conditions where the docstrings have {before} and {after}"
        return "vacuous", f"CrossHair reads {read}"
    if contract.raises:
        return "vacuous", "raises: lets any call fail, and says nothing of when it must succeed"
    return None


def _narrowed(contract: Conditions, cases: Sequence[Sequence[object]]) -> Conditions:
    """The contract of arguments that are those of a case."""
    parameters = zip(contract.sig.parameters.values(), slots(cases), strict=True)
    narrowed = contract.sig.replace(parameters=[each.replace(annotation=slot) for each, slot in parameters])
    return replace(contract, sig=narrowed)


class _Preconditions(Pep316Parser):
    """What is enforced of a contract where another function calls: `pre:` alone; the rest has its own proof."""

    def get_fn_conditions(self, ctxfn: FunctionInfo) -> Conditions | None:
        found = super().get_fn_conditions(ctxfn)
        return found and replace(found, post=[])

    def get_class_invariants(self, _cls: type) -> list[ConditionExpr]:
        return []


class _Conditions:
    """Conditions that are evaluated one after the other, up to the first that fails, and count how often each held.

    concrete: no value is symbolic, so nothing has to be traced.
    """

    def __init__(self, conditions: Sequence[ConditionExpr], concrete: bool) -> None:
        self.conditions = conditions
        self.held = [0] * len(conditions)
        self.at = 0
        self.untraced = NoTracing if concrete else nullcontext

    def __call__(self, bindings: Mapping[str, object]) -> bool:
        with self.untraced():
            for at, condition in enumerate(self.conditions):
                self.at = at
                if condition.evaluate is None or not condition.evaluate(bindings):
                    return False
                self.held[at] += 1
            return True


def _confirm(function: PublicFunction, contract: Conditions, cases: int | None) -> tuple[Verdict, str | None]:
    """CrossHair's verdict on all conditions at once: at the end of each path of the function all are evaluated."""
    after = _Conditions(contract.post, cases is not None)
    before = [replace(each, evaluate=_Conditions([each], cases is not None)) for each in contract.pre]
    one = replace(contract, pre=before, post=[replace(contract.post[0], evaluate=after)])
    with condition_parser(KINDS) as enforced:
        assert isinstance(enforced, CompositeConditionParser)
        enforced.parsers[:] = [_Preconditions(enforced)]
        try:
            said = list(ConditionCheckable(_info(function), replace(OPTIONS), one).analyze())
        except Exception as error:  # CrossHair's own: whatever it is, it is no verdict.
            return "unknown", f"CrossHair failed: {error!r}"
    worst = max(said, key=lambda each: each.state, default=None)
    if worst is None or worst.state == MessageType.CANNOT_CONFIRM:
        return "unknown", worst.message if worst else "CrossHair says nothing"
    if worst.state == MessageType.PRE_UNSAT:
        return "vacuous", worst.message
    if worst.state != MessageType.CONFIRMED:
        return "refuted", f"post: {contract.post[after.at].expr_source}: {worst.message}"
    # CrossHair drops some paths silently: those confirm nothing.
    if not min(after.held) or (cases is not None and {*after.held} != {cases}):
        return "unknown", f"confirmed in {min(after.held)} of {cases} cases"
    return "proved", None
