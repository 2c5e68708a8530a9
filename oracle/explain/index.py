"""All that has a name, and what belongs to it: computed from the law, the proofs, the reference and the replays."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from types import FunctionType, ModuleType
from typing import Any

from memoracle import impl, spec
from memoracle.console.extras import can_prove
from memoracle.diagnostics.divergence import MUST_NOT_CRASH, MUST_SUCCEED, PREFERS, wrongly_failed
from memoracle.diagnostics.levels import Rules
from memoracle.explain.references import Mentions, mentions
from memoracle.proofs.contracts.docstrings import PublicFunction, functions
from memoracle.proofs.obligations.obligation import Computation, Obligation
from memoracle.replay.dispatch import Replay
from memoracle.spec.clauses import Clause, Operation, named, part_of
from memoracle.spec.geometry import DEFAULT, preset
from memoracle.trace.events import AnyEvent, operation_of_kind

REFINEMENT = "refinement"


class Index:
    """What there is to explain. Nothing is looked for before it is asked for."""

    @cached_property
    def law(self) -> dict[str, Clause | Operation]:
        """The clauses and operations of `spec/`, by name; what is built on other parts of the law comes after them.

        Where parts have an operation in common the first has its name, and others their own: `manager.free-frame`.
        """
        infos = pkgutil.iter_modules(spec.__path__, f"{spec.__name__}.")
        found: dict[str, Clause | Operation] = {}
        for module in sorted((importlib.import_module(info.name) for info in infos), key=built_on):
            for value in vars(module).values():
                if isinstance(value, Clause | Operation) and text_of(value).__module__ == module.__name__:
                    found[named(text_of(value)) if value.name in found else value.name] = value
        return found

    @cached_property
    def names_in_law(self) -> dict[Clause | Operation, str]:
        return {value: name for name, value in self.law.items()}

    @cached_property
    def other_names(self) -> dict[str, str]:
        """Operations by their component and function: `buddy.free` is `range.free`."""
        return {named(text_of(value)): name for name, value in self.law.items() if named(text_of(value)) != name}

    @cached_property
    def has_proofs(self) -> bool:
        """Whether it is known what is proved: proofs are written with the solver, and need what that needs."""
        return can_prove()

    @cached_property
    def obligations(self) -> dict[str, Obligation | Computation]:
        """By name; none where it is not known what is proved."""
        if not self.has_proofs:
            return {}
        from memoracle.proofs import registry

        return {each.name: each for each in registry.obligations([])}

    @cached_property
    def proved(self) -> tuple[str, ...]:
        """The components that have obligations."""
        return tuple(dict.fromkeys(each.component for each in self.obligations.values()))

    @cached_property
    def contracts(self) -> dict[str, PublicFunction]:
        """The public functions of the reference."""
        return {f"{each.component}.{each.qualified}": each for each in functions(impl.__name__)}

    @cached_property
    def replays(self) -> dict[str, Any]:
        """What replays each operation of a trace."""
        handlers = Replay(Rules(preset(DEFAULT)), "").handlers
        return {operation_of_kind(kind): handlers[kind] for kind in AnyEvent.__args__}

    @cached_property
    def rules(self) -> dict[str, str]:
        """What `check` names where no clause is broken: the operation that each is about."""
        found = {}
        for op in self.replays:
            asked = self.asked[op]
            if wrongly_failed in asked.functions:
                found[f"{op}.{MUST_SUCCEED}"] = op
            if "PREFERS" in asked.words:
                found[f"{op}.{PREFERS}"] = op
            found[f"{op}.{MUST_NOT_CRASH}"] = op
        return found

    @cached_property
    def components(self) -> tuple[str, ...]:
        """The components, and the parts of the law and of the reference that several of them share."""
        parts = [part_of(text_of(each)) for each in self.law.values()]
        return tuple(dict.fromkeys([*self.proved, *parts, *(c.component for c in self.contracts.values())]))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every name."""
        everything = (self.law, self.replays, self.rules, self.obligations, self.contracts, self.other_names)
        return tuple(dict.fromkeys([*self.components, *(name for kind in everything for name in kind)]))

    # What belongs together

    @cached_property
    def spoken(self) -> dict[str, Mentions]:
        """By obligation: what of the law its proof speaks of."""
        return {name: mentions(stated(each)) for name, each in self.obligations.items()}

    @cached_property
    def asked(self) -> dict[str, Mentions]:
        """By operation of a trace: what of the law its replay speaks of."""
        return {op: mentions(replay) for op, replay in self.replays.items()}

    @cached_property
    def proofs(self) -> tuple[dict[Clause | Operation, list[str]], dict[Clause | Operation, list[str]]]:
        """The obligations that speak of each part of the law: those that name it, and those that come to it."""
        return among(self.spoken)

    def about(self, of: Clause | Operation) -> list[Obligation | Computation]:
        """The obligations that state something of a clause or operation themselves."""
        return [self.obligations[name] for name in self.proofs[0].get(of, ())]

    def beyond(self, of: Clause | Operation) -> list[Obligation | Computation]:
        """Those whose proof speaks of it through something else: an operation's guard, another clause, a list."""
        return [self.obligations[name] for name in self.proofs[1].get(of, ())]

    def guarded(self, by: Clause) -> list[Operation]:
        return [each for each in self.law.values() if isinstance(each, Operation) and by in each.guard]

    def namesakes(self, of: Clause | Operation) -> list[Clause | Operation]:
        """Those that other components have by the same name."""
        return [each for each in self.law.values() if each.name == of.name and each is not of]

    def asked_in(self, of: Clause | Operation) -> list[str]:
        """The operations of a trace whose replay asks a clause, or an operation's guard."""
        return [op for op in self.replays if of in self.asked[op].itself | self.asked[op].beyond]

    def asked_of(self, op: str) -> list[Clause]:
        """The clauses that the replay of an operation asks."""
        asked = self.asked[op].itself | self.asked[op].beyond
        return [each for each in self.law.values() if isinstance(each, Clause) and each in asked]

    def code_of(self, obligation: Obligation | Computation) -> list[PublicFunction]:
        """The functions of the reference that a refinement is about: the one of its name, or those that it calls."""
        if obligation.kind != REFINEMENT:
            return []
        body = inspect.unwrap(stated(obligation))
        modules = {*_modules(body.__globals__.values())}
        near = [each for each in self.contracts.values() if each.module.__name__ in modules]
        method = obligation.name.rpartition(".")[0].rpartition(".")[2].replace("-", "_")
        words = self.spoken[obligation.name].own_words
        return [each for each in near if each.name == method] or [each for each in near if called(each) in words]

    @cached_property
    def refined(self) -> dict[PublicFunction, list[Obligation | Computation]]:
        """By function of the reference: the refinements that are about it."""
        found: dict[PublicFunction, list[Obligation | Computation]] = {}
        for obligation in self.obligations.values():
            for function in self.code_of(obligation):
                found.setdefault(function, []).append(obligation)
        return found


def among(
    spoken: Mapping[str, Mentions],
) -> tuple[dict[Clause | Operation, list[str]], dict[Clause | Operation, list[str]]]:
    """Which of these obligations speak of each part of the law: those that name it, and those that come to it."""
    named: dict[Clause | Operation, list[str]] = {}
    reached: dict[Clause | Operation, list[str]] = {}
    for name, found in spoken.items():
        for kept, parts in ((named, found.itself), (reached, found.beyond)):
            for part in parts:
                kept.setdefault(part, []).append(name)
    return named, reached


def built_on(part: ModuleType) -> int:
    """How many parts of the law a part refers to, itself or through others."""
    known, waiting = {part.__name__}, [part]
    while waiting:
        parts = [value for value in vars(waiting.pop()).values() if isinstance(value, ModuleType)]
        fresh = [each for each in parts if each.__name__.startswith(f"{spec.__name__}.") and each.__name__ not in known]
        known |= {each.__name__ for each in fresh}
        waiting += fresh
    return len(known)


def text_of(named: Clause | Operation) -> Any:
    """The function that a clause or an operation is written as."""
    return named.holds if isinstance(named, Clause) else named.effect


def stated(obligation: Obligation | Computation) -> Any:
    """The function that an obligation's proof is written as."""
    return obligation.body if isinstance(obligation, Obligation) else obligation.run


def called(function: PublicFunction) -> str:
    """The name by which other code calls it."""
    return function.owner.__name__ if function.owner and function.name == "__init__" else function.name


def _modules(values: Iterable[Any]) -> Iterator[str]:
    """The modules that these values are, or are of."""
    for value in values:
        if isinstance(value, ModuleType):
            yield value.__name__
        elif isinstance(value, FunctionType | type):
            yield value.__module__
