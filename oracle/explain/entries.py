"""What `explain` says of a name: of each kind of thing that has one, in its own way."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import msgspec

from memoracle.diagnostics.divergence import MUST_NOT_CRASH, MUST_SUCCEED, NO_CRASH
from memoracle.diagnostics.terms import reported
from memoracle.explain.index import Index, text_of
from memoracle.proofs.contracts import docstrings as contract_text
from memoracle.proofs.contracts.docstrings import PublicFunction
from memoracle.proofs.obligations.obligation import Computation, Obligation, source_of
from memoracle.report.proof_report import HAZARD
from memoracle.spec.clauses import Clause, Operation, part_of
from memoracle.trace.events import AnyEvent, operation_of_kind

CLAUSE, OPERATION, OBLIGATION = "clause", "operation", "obligation"
CONTRACT, RULE, COMPONENT = "contract", "rule", "component"
REPORTED = "reported_as"  # what `check` says of frames, blocks and pages instead of places
REFERENCE = "impl."  # may stand before a contract's name: some functions are called as the operation that they do
OF_PROOFS = ("obligations", "used_by", "code")  # what is known of by the proofs alone
Fact: TypeAlias = str | list[str]


@dataclass(frozen=True)
class Entry:
    """Something else that has a name; of an obligation, kind says what it shows."""

    name: str
    kind: str
    says: str
    source: str


@dataclass(frozen=True)
class Explanation:
    """source: `file.py:line`, None if it is no one place's.  text: as it is written there.

    facts: what else is to be said, by its name.  related: what it has to do with, by how.
    """

    name: str
    kind: str
    says: str
    source: str | None = None
    text: str = ""
    facts: dict[str, Fact] = field(default_factory=dict)
    related: dict[str, list[Entry]] = field(default_factory=dict)


def explained(index: Index, name: str) -> Explanation | None:
    """What is said of a name; None if nothing has it. A theorem's clause is meant rather than its obligation."""
    found = index.law.get(name)
    if isinstance(found, Clause):
        return of_clause(index, found)
    if isinstance(found, Operation):
        return of_operation(index, found)
    if name in index.components:
        return of_component(index, name)
    if name in index.other_names:
        return explained(index, index.other_names[name])
    if name in index.obligations:
        return of_obligation(index, index.obligations[name])
    contract = index.contracts.get(name.removeprefix(REFERENCE))
    if contract is not None:
        return of_contract(index, contract)
    if name in index.replays:
        return of_traces_operation(index, name)
    return of_rule(index, name) if name in index.rules else None


def without_proofs(explanation: Explanation) -> Explanation:
    """The same, which does not say of anything that nothing is proved of it."""
    kept = {key: entries for key, entries in explanation.related.items() if key not in OF_PROOFS}
    return replace(explanation, related=kept)


def of_clause(index: Index, clause: Clause) -> Explanation:
    related = {
        "guards": [of_law(index, each) for each in index.guarded(clause)],
        "obligations": list(map(of_proof, index.about(clause))),
        "used_by": list(map(of_proof, index.beyond(clause))),
        "checked_in": [of_replay(index, op) for op in index.asked_in(clause)],
    }
    facts: dict[str, Fact] = {REPORTED: reported(clause), "points": list(clause.points)}
    return Explanation(clause.name, CLAUSE, clause.says, source_of(clause.holds), written(clause.holds), facts, related)


def refined_by(index: Index, obligations: Iterable[Obligation | Computation]) -> dict[str, PublicFunction]:
    """The functions of the reference that any of these is about, by where they stand."""
    return {each.source: each for obligation in obligations for each in index.code_of(obligation)}


def of_operation(index: Index, operation: Operation) -> Explanation:
    about = index.about(operation)
    code = refined_by(index, about) or refined_by(index, index.beyond(operation))
    related = {
        "guard": [of_law(index, each) for each in operation.guard],
        "obligations": list(map(of_proof, about)),
        "used_by": list(map(of_proof, index.beyond(operation))),
        "code": [of_code(each) for each in code.values()],
        "checked_in": [of_replay(index, op) for op in index.asked_in(operation)],
        "namesakes": [of_law(index, each) for each in index.namesakes(operation)],
    }
    function = index.contracts.get(operation.name)
    if function is not None:
        related["namesakes"].append(replace(of_code(function), name=REFERENCE + operation.name))
    facts: dict[str, Fact] = {
        REPORTED: reported(operation),
        "points": list(operation.points),
        "chooses": list(operation.chooses),
        "event": event(operation.name),
    }
    name, effect = index.names_in_law[operation], operation.effect
    return Explanation(name, OPERATION, operation.says, source_of(effect), written(effect), facts, related)


def of_traces_operation(index: Index, op: str) -> Explanation:
    """Of an operation that traces have, and that the law states by clauses alone."""
    replay = index.replays[op]
    says = "an operation of traces, which is held to the clauses below"
    clauses = [each for each in index.asked_of(op) if not index.guarded(each)]  # other operations' are proved of those
    about = {each.name for clause in clauses for each in index.about(clause)}
    related = {
        "asks": asked(index, op),
        "rules": [of_named_rule(index, n) for n, o in index.rules.items() if o == op],
        "obligations": [of_proof(each) for each in index.obligations.values() if each.name in about],
    }
    return Explanation(op, OPERATION, says, source_of(replay), "", {"event": event(op)}, related)


def of_rule(index: Index, name: str) -> Explanation:
    op = index.rules[name]
    entry = of_named_rule(index, name)
    operation = index.law.get(op)
    about = index.about(operation) if operation else []
    related = {
        "operation": [of_law(index, operation)] if operation else [of_replay(index, op)],
        "guard": [of_law(index, each) for each in operation.guard]
        if isinstance(operation, Operation)
        else asked(index, op),
        "obligations": [of_proof(each) for each in about if index.code_of(each)],
    }
    return Explanation(name, RULE, entry.says, entry.source, "", {}, related)


def of_obligation(index: Index, obligation: Obligation | Computation) -> Explanation:
    spoken = index.spoken[obligation.name]
    related = {
        "about": [of_law(index, each) for each in index.law.values() if each in spoken.itself],
        "code": list(map(of_code, index.code_of(obligation))),
    }
    facts: dict[str, Fact] = {
        "component": obligation.component,
        "shows": obligation.kind,
        "scope": obligation.scope,
    }
    return Explanation(obligation.name, OBLIGATION, claimed(obligation), obligation.source, "", facts, related)


def of_contract(index: Index, function: PublicFunction) -> Explanation:
    entry = of_code(function)
    related = {"obligations": list(map(of_proof, index.refined.get(function, [])))}
    return Explanation(entry.name, CONTRACT, entry.says, entry.source, promised(function), {}, related)


def of_component(index: Index, component: str) -> Explanation:
    law = [each for each in index.law.values() if part_of(text_of(each)) == component]
    related = {
        "clauses": [of_law(index, each) for each in law if isinstance(each, Clause)],
        "operations": [of_law(index, each) for each in law if isinstance(each, Operation)],
        "obligations": [of_proof(each) for each in index.obligations.values() if each.component == component],
        "contracts": [of_code(each) for each in index.contracts.values() if each.component == component],
        "rules": [of_named_rule(index, name) for name, op in index.rules.items() if op == component],
    }
    counted = ", ".join(f"{len(entries)} {kind}" for kind, entries in related.items() if entries)
    facts: dict[str, Fact] = {"event": event(component)}
    return Explanation(component, COMPONENT, counted, None, "", facts, related)


# Things in one line


def of_law(index: Index, of: Clause | Operation) -> Entry:
    return Entry(
        index.names_in_law[of], CLAUSE if isinstance(of, Clause) else OPERATION, of.says, source_of(text_of(of))
    )


def of_proof(obligation: Obligation | Computation) -> Entry:
    return Entry(obligation.name, obligation.kind, claimed(obligation), obligation.source)


def claimed(obligation: Obligation | Computation) -> str:
    """What it claims; of a hazard, that the claim is false, which is what its proof shows."""
    return f"it fails, as it should, that {obligation.claim}" if obligation.kind == HAZARD else obligation.claim


def of_code(function: PublicFunction) -> Entry:
    name = f"{function.component}.{function.qualified}"
    return Entry(name, CONTRACT, contract_text.claim(function), function.source)


def of_replay(index: Index, op: str) -> Entry:
    return Entry(op, OPERATION, event(op), source_of(index.replays[op]))


def of_named_rule(index: Index, name: str) -> Entry:
    op = index.rules[name]
    operation = index.law.get(op)
    says = "at level exact, it chooses as the reference does"
    if name.endswith(MUST_SUCCEED):
        says = "it fails only where the law refuses it" + (f": {operation.says}" if operation else "")
    if name.endswith(MUST_NOT_CRASH):
        says = NO_CRASH
    return Entry(name, RULE, says, source_of(index.replays[op]))


def asked(index: Index, op: str) -> list[Entry]:
    """The clauses that the replay of an operation asks."""
    return [of_law(index, each) for each in index.asked_of(op)]


def event(op: str) -> str:
    """How a trace has an operation: its arguments, and whether it returns something; "" if it has it not."""
    for kind in AnyEvent.__args__:
        if operation_of_kind(kind) == op:
            return " ".join([op, *arguments(kind), *(["-> result"] if answers(kind) else [])])
    return ""


def arguments(kind: Any) -> Iterable[str]:
    """Those of an event; what may be left out in brackets."""
    for each in msgspec.structs.fields(kind):
        if each.name not in ("result", "error"):
            yield each.encode_name if each.required else f"[{each.encode_name}]"


def answers(kind: Any) -> bool:
    return any(each.name == "result" and each.type is not type(None) for each in msgspec.structs.fields(kind))


def written(function: Any) -> str:
    """A function as its author wrote it."""
    return textwrap.dedent(inspect.getsource(function)).rstrip()


def promised(function: PublicFunction) -> str:
    """A function down to the end of its docstring, in which its contract stands."""
    text = written(function.function)
    (definition,) = ast.parse(text).body
    end = definition.body[0].end_lineno if isinstance(definition, ast.FunctionDef) else None
    return "\n".join(text.splitlines()[:end])
