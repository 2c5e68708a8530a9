"""What makes up a component: its own module, or several."""

from __future__ import annotations

import ast

from memoracle.proofs.evidence import pieces
from memoracle.proofs.mutation.seeding import ROOT, modules_of
from memoracle.proofs.parts import component_of, parts_of


def test_parts_and_components_fit() -> None:
    assert [component_of(part) for part in (*parts_of("paging"), *parts_of("heap"), *parts_of("boot"))] == [
        *["paging"] * 5,
        *["heap"] * 4,
        "boot",
    ]
    assert modules_of("paging") == [
        "impl/pte.py",
        "spec/pte.py",
        "spec/pte_theorems.py",
        "spec/tables.py",
        "impl/paging.py",
        "spec/paging.py",
        "spec/paging_theorems.py",
    ]


def test_what_a_module_of_the_law_says_that_it_is_part_of_is_its_component() -> None:
    said = {}
    for module in (ROOT / "spec").glob("*.py"):
        for statement in ast.parse(module.read_text(encoding="utf-8")).body:
            if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "PART_OF":
                said[module.stem] = ast.literal_eval(statement.value)
    assert all(component_of(part) == component_of(module) for module, part in said.items())
    parts = {part for component in ("manager", "buddy", "paging", "heap", "runs") for part in parts_of(component)}
    others = {"manager", "buddy", "slab", "heap", "arena", "paging", "pte", "tables"}
    others |= {"runs", "run_index", "place_set", "zones"}
    assert {*others, *said} == parts


def test_contracts_of_all_parts_are_asked_for_by_the_component() -> None:
    names = {piece.unsettled.name for piece in pieces(["paging"], contracts=True, use_cache=True)}
    assert {"pte.decode", "paging.Paging.map"} <= names
