"""`prove --budgets`: what a proof costs is held to its budget, and the budgets are written by a run of everything."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from memoracle.console.exit_status import Status
from memoracle.proofs import budgets, registry
from memoracle.proofs.obligations import solver
from memoracle.proofs.obligations.discharge import Result
from memoracle.proving.budgets import CHECK, UPDATE, part_of

Prove = Callable[..., Any]
JSON = ("--format", "json")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(budgets, "FILE", tmp_path / "budgets.toml")
    return budgets.FILE


def costs(prove: Prove) -> dict[str, int]:
    found = prove("pat", *JSON).document["obligations"]
    return {each["name"]: each["rlimit"] for each in found if each["solver"] == solver.VERSION}


def write(file: Path, of: dict[str, int]) -> None:
    lines = [f'"{name}" = {budget}' for name, budget in of.items()]
    file.write_text("\n".join([f'solver = "{solver.VERSION}"', "[rlimit]", *lines]))


def test_costs_within_their_budgets(prove: Prove, file: Path) -> None:
    known = costs(prove)
    write(file, known)
    told = prove("pat", "--budgets", "check", *JSON)
    assert told.status == 0
    found = told.document["budgets"]
    assert found.pop("compared") == len(known) >= 12
    assert found == {"warnings": [], "failures": [], "without_budget": [], "without_obligation": []}


def test_what_costs_more_is_warned_of_and_fails(prove: Prove, file: Path) -> None:
    known = costs(prove)
    dear, dearer, just = sorted(known, key=known.__getitem__)[-3:]
    write(file, known | {dear: known[dear] // 3, dearer: known[dearer] // 5, just: known[just] // 2 + 1})
    told = prove("pat", "--budgets", "check", *JSON)
    found = told.document["budgets"]
    assert told.status == 1
    assert told.document["verdict"] == "proved"
    assert [(each["name"], each["rlimit"]) for each in found["warnings"]] == [(dear, known[dear])]
    assert [(each["name"], each["budget"]) for each in found["failures"]] == [(dearer, known[dearer] // 5)]
    text = prove("pat", "--budgets", "check").out
    assert f"Budgets: {len(known)} costs compared, 1 over 4 times the budget, 1 over 2 times" in text
    write(file, known | {dear: known[dear] // 3})
    assert prove("pat", "--budgets", "check").status == 0


def test_what_has_no_counterpart_is_told(prove: Prove, file: Path) -> None:
    """What has no budget was held to none, which is no success; a budget of what there is not only takes room."""
    known = costs(prove)
    write(file, known | {"pat.gone": 1})
    assert prove("pat", "--budgets", "check").status == 0
    write(
        file, {name: cost for name, cost in known.items() if name != "pat.select.refines"} | {"pat.gone": 1, "a.b": 1}
    )
    told = prove("pat", "--budgets", "check", *JSON)
    assert told.status == 4
    assert told.document["budgets"]["without_budget"] == ["pat.select.refines"]
    assert told.document["budgets"]["without_obligation"] == ["pat.gone"]  # of other components nothing was proved
    text = prove("pat", "--budgets", "check").out
    assert "an obligation without a budget: pat.select.refines" in text
    assert "a budget without an obligation: pat.gone" in text


def test_what_is_just_so_many_times_its_budget_is_not_over() -> None:
    costs = {"a.twice": 20, "a.more": 21, "a.four": 40, "a.most": 41}
    results = [
        Result(name, "a", "theorem", "", "unbounded", "proved", solver.VERSION, 1, cost, False, "", None)
        for name, cost in costs.items()
    ]
    of_geometry = replace(results[0], name="a.own", scope="geometry", rlimit=10**6)
    due = budgets.Budgets(solver.VERSION, dict.fromkeys([*costs, "b.gone"], 10))
    found = budgets.compared(due, [*results, of_geometry], None)
    assert [each.name for each in found.warned] == ["a.four", "a.more"]
    assert [each.name for each in found.failed] == ["a.most"]
    assert (found.compared, found.without_budget, found.without_obligation) == (4, [], ["b.gone"])


def test_an_update_is_what_everything_costs(prove: Prove, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = costs(prove)
    monkeypatch.setattr(registry, "COMPONENTS", {"pat": registry.COMPONENTS["pat"]})
    told = prove("--budgets", "update", *JSON)
    assert (told.status, told.document["budgets"]) == (0, {"file": str(file), "written": True, "budgets": len(known)})
    assert not any(each["cached"] for each in told.document["obligations"])
    written = tomllib.loads(file.read_text())
    assert written == {"solver": solver.VERSION, "rlimit": {name: budgets.budget_of(known[name]) for name in known}}
    lines = file.read_text().splitlines()
    names = [line for line in lines if line.startswith('"')]
    assert names == sorted(names)
    assert prove("--budgets", "check").status == 0


@pytest.mark.parametrize(("since", "left"), [(None, ["a.gone"]), ("HEAD", [])])
def test_what_was_left_out_still_has_its_obligation(since: str | None, left: list[str]) -> None:
    found = Result("a.b", "a", "theorem", "", "unbounded", "proved", solver.VERSION, 1, 5, False, "", None)
    due = budgets.Budgets(solver.VERSION, {"a.b": 5, "a.gone": 5})
    (part,) = part_of(argparse.Namespace(budgets=CHECK, changed_since=since, component=[]), due, [found])
    assert part.document()["without_obligation"] == left


def test_what_is_not_proved_changes_no_budgets(file: Path) -> None:
    lost = Result("a.b", "a", "theorem", "", "unbounded", "unknown", solver.VERSION, 1, 5, False, "", None)
    (part,) = part_of(argparse.Namespace(budgets=UPDATE, changed_since=None), None, [lost])
    assert (part.document()["written"], file.exists()) == (False, False)
    assert part.status is Status.NOTHING


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("solver = ", "is no TOML file: "),
        (f"solver = {'9' * 5000}", "is no TOML file: "),
        (f"solver = {'[' * 5000}", "is no TOML file: "),
        ('solver = "z3"\n', "has other keys than `solver` and `rlimit`, or lacks one"),
        ("solver = 1\n[rlimit]\n", "1: `solver` is no name of a solver"),
        ('solver = "z3"\n[rlimit]\n"pat.a" = 1\n"pat.b" = 0\n', "4: the budget of 'pat.b' is no positive number"),
        ('solver = "z3"\n[rlimit]\n"pat.a" = true\n', "3: the budget of 'pat.a' is no positive number"),
        ('solver = "z3 1.0"\n[rlimit]\n', f"is of z3 1.0, whose costs are not those of {solver.VERSION}: update it"),
    ],
)
def test_budgets_that_cannot_be_used(prove: Prove, file: Path, text: str, fault: str) -> None:
    file.write_text(text)
    told = prove("pat", "--budgets", "check")
    assert (told.status, told.out) == (2, "")
    assert told.err.startswith(f"memoracle: {file}:")
    assert fault in told.err


def test_options_that_do_not_go_together(prove: Prove, file: Path) -> None:
    for more in (["pat"], ["--changed-since", "HEAD"]):
        told = prove("--budgets", "update", *more)
        assert (told.status, told.out) == (2, "")
        assert "an update is of all obligations" in told.err
    assert "cannot be read: No such file" in prove("pat", "--budgets", "check").err
    assert not file.exists()


@pytest.mark.parametrize(("cost", "budget"), [(0, 10_000), (9_999, 10_000), (10_001, 11_000), (133_226, 140_000)])
def test_a_budget_is_a_cost_rounded_up(cost: int, budget: int) -> None:
    assert budgets.budget_of(cost) == budget


def test_the_budgets_of_this_project_are_of_its_obligations() -> None:
    found = budgets.read(Path(budgets.__file__).resolve().with_name("budgets.toml"))
    proofs = {each.name for each in registry.obligations([]) if hasattr(each, "body")}
    assert found.by_name.keys() == proofs
    assert found.solver == solver.VERSION
