"""`memoracle prove`: its verdicts are earned, its statuses and its reports are what the contract says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import z3

from memoracle.cli import main
from memoracle.proofs import registry
from memoracle.proofs.contracts import crosshair
from memoracle.proofs.emulator import run as machine_run
from memoracle.proofs.exhaustive import computations as small_runs
from memoracle.proofs.obligations import solver
from memoracle.proofs.obligations.obligation import Computation, Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import Sort
from memoracle.proofs.symbolic.numbers import SymbolicBool

SORTS = {"page": Sort("page")}
KEYS = [
    "name",
    "component",
    "kind",
    "claim",
    "scope",
    "verdict",
    "solver",
    "seconds",
    "rlimit",
    "cached",
    "source",
    "counterexample",
]
SMALL = '''
def good(number: int) -> int:
    """Returns what it is given.

    post: __return__ == number
    """
    return number


def bad(number: int) -> int:
    """Does not do what it says.

    post: __return__ == number + 1
    """
    return number
'''


def true(run: Run) -> None:
    page = run.point("page")
    run.assert_goal("a page has a successor", page < page + 1)


def false(run: Run) -> None:
    page = run.point("page")
    run.assert_goal("a page is one of the first seven", page < 7)


def hard(run: Run) -> None:
    one, other = run.number("one"), run.number("other")
    product = z3.ZeroExt(72, one.z) * z3.ZeroExt(72, other.z)
    run.assert_goal("this number is prime", SymbolicBool(product != 0xFFFFFFFFFFFFFFC5 * 0xFFFFFFFFFFFFFFAD))


def empty(run: Run) -> None:
    run.point("page")


def dying() -> str | None:
    os._exit(1)


BODIES = {"true": true, "false": false, "hard": hard, "empty": empty}


def obligation(name: str, component: str = "fake") -> Obligation | Computation:
    if name == "dying":
        return Computation(f"{component}.{name}", component, "theorem", "it dies", dying, "bounded: one run")
    return Obligation(f"{component}.{name}", component, "theorem", f"that {name}", BODIES[name], SORTS)


class Proved:
    """What one run answered."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def document(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.out)
        return content

    @property
    def verdicts(self) -> dict[str, str]:
        return {each["name"]: each["verdict"] for each in self.document["obligations"]}


Prove = Callable[..., Proved]


@pytest.fixture(autouse=True)
def no_cache_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(solver, "RLIMIT", 200_000)
    monkeypatch.setattr("memoracle.proofs.obligations.discharge.TOGETHER", 100_000)
    monkeypatch.setattr(solver.ask, "__defaults__", (True, 200_000, solver.Way.AT_ONCE, None))


@pytest.fixture
def prove(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Prove:
    """Runs the command where the components are these, by the names of their obligations."""

    def run(of: dict[str, list[str]], *arguments: str) -> Proved:
        def offer(component: str) -> Callable[[], Iterator[Obligation | Computation]]:
            return lambda: iter([obligation(name, component) for name in of[component]])

        monkeypatch.setattr(registry, "COMPONENTS", {component: offer(component) for component in of})
        monkeypatch.setattr(small_runs, "replay", {"fake": "def test_replay(): ..."}.get)
        status = main(["prove", *arguments])
        captured = capfd.readouterr()
        return Proved(status, captured.out, captured.err)

    return run


@pytest.mark.parametrize(
    ("names", "status", "verdict"),
    [
        (["true"], 0, "proved"),
        (["true", "false"], 1, "refuted"),
        (["true", "hard"], 3, "unknown"),
        (["true", "empty"], 4, "vacuous"),
        (["empty"], 4, "vacuous"),
        (["dying", "true"], 3, "unknown"),
        ([], 4, "nothing"),
        (["hard", "empty", "true"], 3, "unknown"),
        (["empty", "hard", "false", "true", "dying"], 1, "refuted"),
    ],
)
def test_statuses_and_verdicts(prove: Prove, names: list[str], status: int, verdict: str) -> None:
    told = prove({"fake": names}, "--format", "json")
    assert (told.status, told.document["verdict"]) == (status, verdict)
    assert [each["name"] for each in told.document["obligations"]] == [f"fake.{name}" for name in names]
    text = prove({"fake": names})
    assert text.status == status
    assert text.out.splitlines()[-1].startswith(f"{verdict}: {len(names)} obligation")
    assert told.err == text.err == ""


def test_an_unknown_component_is_refused_with_the_known_ones(prove: Prove) -> None:
    told = prove({"fake": ["true"], "other": ["true"]}, "fake", "flying")
    assert (told.status, told.out) == (2, "")
    assert told.err == "memoracle: prove: no component 'flying': there are fake, other\n"


def test_a_geometry_that_is_none_is_refused(prove: Prove) -> None:
    told = prove({"fake": ["true"]}, "--geometry", "x64-3m")
    assert (told.status, told.out) == (2, "")
    assert "x64-3m" in told.err


def test_only_what_is_named_is_proved(prove: Prove) -> None:
    two = {"fake": ["true"], "other": ["true", "empty"]}
    assert [*prove(two, "fake", "--format", "json").verdicts] == ["fake.true"]
    fake, other = ["fake.true"], ["other.true", "other.empty"]
    assert [*prove(two, "other", "fake", "other", "--format", "json").verdicts] == other + fake
    assert [*prove(two, "--format", "json").verdicts] == fake + other


def test_the_document(prove: Prove) -> None:
    told = prove({"fake": ["true", "empty", "dying"]}, "--format", "json", "--geometry", "x64-4k").document
    assert [*told] == ["memoracle", "command", "verdict", "geometry", "obligations", "totals", "trust"]
    assert (told["memoracle"], told["command"], told["geometry"]) == (1, "prove", "x64-4k")
    assert told["totals"] == {"proved": 1, "refuted": 0, "unknown": 1, "vacuous": 1}
    assert all([*each] == [*KEYS, *(["law"] if each["verdict"] != "proved" else [])] for each in told["obligations"])
    proved, vacuous, unknown = told["obligations"]
    where = f"tests/oracle/commands/test_prove.py:{true.__code__.co_firstlineno}"
    assert {key: proved[key] for key in KEYS if key not in ("seconds", "rlimit")} == {
        "name": "fake.true",
        "component": "fake",
        "kind": "theorem",
        "claim": "that true",
        "scope": "unbounded",
        "verdict": "proved",
        "solver": solver.VERSION,
        "cached": False,
        "source": where,
        "counterexample": None,
    }
    assert proved["seconds"] > 0
    assert proved["rlimit"] > 0
    assert vacuous["counterexample"] == "no path claims anything"
    assert (unknown["scope"], unknown["solver"]) == ("bounded: one run", "none")
    died = "its process died with status 1"
    assert unknown["counterexample"] == f"{died}; it was tried again, alone: {died}"
    assert any(line.startswith(solver.VERSION) for line in told["trust"])
    assert not any("CrossHair" in line for line in told["trust"])


def test_what_is_refuted_shows_how_and_how_to_replay_it(prove: Prove) -> None:
    told = prove({"fake": ["false"], "other": ["false"]}, "--format", "json").document
    first, second = (each["counterexample"] for each in told["obligations"])
    assert first.startswith("it can fail that a page is one of the first seven, where\n  page = ")
    assert int(first.splitlines()[1].split("= ")[1]) >= 7
    assert first.endswith("\n\ndef test_replay(): ...")
    assert second.endswith("\n\nNo small run of the reference fails.")
    text = prove({"fake": ["false", "true"], "other": ["false"]}).out
    assert text.count("it can fail that a page is one of the first seven") == 2
    assert text.count("def test_replay(): ...") == 1
    assert text.count("No small run of the reference fails.") == 1
    assert "refuted: fake.false (tests/oracle/commands/test_prove.py:" in text


def test_a_test_that_passes_is_not_written(prove: Prove) -> None:
    told = prove({"fake": ["false"]}, "--emit", "pytest")
    assert (told.status, told.out) == (1, "")
    assert "the test of fake passes, so that it is not printed" in told.err
    assert "refuted: fake.false" in told.err
    document = prove({"fake": ["false"]}, "--emit", "trace", "--format", "json").document
    assert document["reproducer"]["text"] is None
    assert prove({"fake": ["true"]}, "--emit", "pytest").err.endswith("nothing failed: there is no test to write\n")


def test_a_replay_that_fails_is_told(prove: Prove, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(component: str) -> str | None:
        raise ValueError("cannot run")

    monkeypatch.setattr("memoracle.commands.prove.replay_of", broken)
    told = prove({"fake": ["false"]})
    assert told.status == 1
    assert "No small run of the reference could be made: ValueError: cannot run" in told.out


def test_the_cache_is_used_and_told(prove: Prove) -> None:
    def cached(*options: str) -> list[bool]:
        told = prove({"fake": ["true", "false", "hard"]}, "--format", "json", *options).document
        return [each["cached"] for each in told["obligations"]]

    assert cached() == [False, False, False]
    assert cached() == [True, True, False]
    assert cached("--no-cache") == [False, False, False]
    assert "1 proved, 0 refuted, 0 unknown, 0 vacuous; 1 from the cache" in prove({"fake": ["true"]}).out


def test_an_answer_does_not_depend_on_what_was_asked_before(prove: Prove) -> None:
    def rlimits(names: list[str]) -> dict[str, int]:
        found = prove({"fake": names}, "--no-cache", "--format", "json").document["obligations"]
        return {each["name"]: each["rlimit"] for each in found}

    assert rlimits(["true", "false"]) == rlimits(["false", "true"])


def test_the_text_says_what_was_checked_to_what_bound_and_on_what_trust(prove: Prove) -> None:
    names = ["true", "dying"]
    told = prove({"fake": names}).out
    assert "1 unbounded" in told
    assert "1 bounded: one run" in told
    assert "1 of 2 are unbounded" in told
    assert "Trusted\n" in told
    assert "The slowest" in told
    assert "test_prove.py:" not in prove({"fake": ["true"]}).out
    verbose = prove({"fake": ["true"]}, "--verbose").out
    assert f"tests/oracle/commands/test_prove.py:{true.__code__.co_firstlineno}" in verbose
    assert "that true" in verbose


def test_the_report_goes_where_it_is_sent(prove: Prove, tmp_path: Path) -> None:
    told = prove({"fake": ["true"]}, "--format", "json", "--output", str(tmp_path / "report.json"))
    assert (told.status, told.out, told.err) == (0, "", "")
    assert json.loads((tmp_path / "report.json").read_text())["verdict"] == "proved"
    assert prove({"fake": ["true"]}, "--output", str(tmp_path / "no" / "report")).status == 2


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A reference of one module with a good and a bad contract."""
    name = f"package_{tmp_path.name}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    (tmp_path / name / "small.py").write_text(SMALL)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(crosshair, "IMPL", name)
    return name


def test_contracts_are_checked_when_asked_for(prove: Prove, package: str) -> None:
    assert [*prove({"fake": ["true"]}, "--format", "json").verdicts] == ["fake.true"]
    told = prove({"fake": ["true"]}, "--contracts", "--format", "json")
    assert told.status == 1
    assert told.verdicts == {"fake.true": "proved", "small.good": "proved", "small.bad": "refuted"}
    _, good, bad = told.document["obligations"]
    assert [*good] == KEYS
    assert (good["kind"], good["component"], good["claim"]) == ("contract", "small", "Returns what it is given.")
    assert good["solver"].startswith("CrossHair ")
    assert good["scope"].startswith("bounded: ")
    assert good["counterexample"] is None
    assert "__return__ == number + 1" in bad["counterexample"]
    assert any("CrossHair" in line for line in told.document["trust"])
    assert prove({"fake": ["true"]}, "fake", "--contracts").status == 0
    of_small = prove({"fake": ["true"]}, "small", "--contracts", "--format", "json")
    assert [*of_small.verdicts] == ["small.good", "small.bad"]


def test_an_emulated_processor_is_asked_when_wanted(prove: Prove, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_run, "CALLS", 1500)
    monkeypatch.setattr(machine_run, "LOADS", 10_000)
    told = prove({"fake": ["true"]}, "fake", "--machine", "--format", "json")
    assert told.status == 0
    assert [*told.verdicts] == ["fake.true", *(f"paging.machine.leaf-{level}" for level in (1, 2, 3))]
    for each in told.document["obligations"][1:]:
        assert [*each] == KEYS
        assert (each["component"], each["kind"], each["verdict"]) == ("paging", "refinement", "proved")
        assert each["solver"].startswith("unicorn ")
        assert "1,500 random operations and 10,000 loads" in each["scope"]
        assert each["counterexample"] is None
    assert any("unicorn" in line for line in told.document["trust"])


def test_names_are_unique() -> None:
    names = [each.name for each in registry.obligations([])] + crosshair.public_functions()
    assert len(names) == len(set(names))


def test_the_program_proves_a_component_from_the_shell(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("memoracle")), "prove", "kernel_half"]
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("proved: ")


@pytest.mark.parametrize("options", [["-O"], ["-OO"]])
def test_nothing_is_proved_without_assert_statements(options: list[str]) -> None:
    """Stand-ins for containers refuse by them what they do not know."""
    command = [sys.executable, *options, "-m", "memoracle", "prove", "pat"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "skips assert statements" in done.stderr
