"""What is proved, and what is trusted: every obligation, how it is discharged, and what the verdict rests on."""

from __future__ import annotations

from collections import Counter
from typing import Any

from memoracle.explain.entries import CONTRACT, REFERENCE, claimed, of_code
from memoracle.explain.index import Index
from memoracle.proofs import trust
from memoracle.proofs.contracts.docstrings import written
from memoracle.proofs.contracts.states import scope_of
from memoracle.proofs.obligations.obligation import Computation, Obligation
from memoracle.proofs.parts import component_of
from memoracle.site.markup import rendered


def evidence_page(index: Index) -> str:
    owed = [row(each) for each in index.obligations.values()] + [contract(each) for each in index.contracts.values()]
    kinds = dict.fromkeys(each["kind"] for each in owed)
    components = dict.fromkeys(each["component"] for each in owed)
    groups = {name: [each for each in owed if each["component"] == name] for name in components}
    counts = {name: Counter(each["kind"] for each in rows) for name, rows in groups.items()}
    return rendered(
        "evidence.md",
        total=len(owed),
        kinds=list(kinds),
        counts=counts,
        ways=Counter(each["way"] for each in owed).most_common(),
        scopes=Counter(each["scope"] for each in owed if each["kind"] != CONTRACT).most_common(),
        trusted=trust.trusted(contracts=True, machine=True),
        groups=groups,
    )


def row(owed: Obligation | Computation) -> dict[str, Any]:
    return {
        "name": owed.name,
        "component": owed.component,
        "kind": owed.kind,
        "claim": claimed(owed),
        "scope": owed.scope,
        "way": way(owed),
        "with": owed.together if isinstance(owed, Obligation) else "",
        "source": owed.source,
    }


def way(owed: Obligation | Computation) -> str:
    """How it is discharged."""
    if isinstance(owed, Computation):
        return "run to its end"
    return "solver, integers" if owed.integers else "solver, bit vectors"


def contract(function: Any) -> dict[str, Any]:
    entry, promised = of_code(function), written(function)[1]
    return {
        "name": REFERENCE + entry.name,
        "component": component_of(function.component),
        "kind": CONTRACT,
        "claim": f"{entry.says} ({promised} conditions)" if promised else entry.says,
        "scope": f"bounded: {scope_of(function).said}",
        "way": "CrossHair",
        "with": "",
        "source": entry.source,
    }
