"""What the solver is asked, and what is kept of its answers."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import z3

from memoracle.proofs.obligations import solver
from memoracle.proofs.obligations.goals_apart import Needs
from memoracle.proofs.obligations.solver import Answer, ask, text_of

X, Y = z3.BitVec("x", 72), z3.BitVec("y", 72)
TRUE = text_of([X == -(1 << 70), Y == X + 1], integers=False)
FALSE = text_of([X < Y, Y < X], integers=False)
HARD = text_of([X * Y == 0x1234567890ABCDEF1, X > 1, Y > 1, X < 1 << 36, Y < 1 << 36], integers=False)

ASKS_AGAIN = f"""
import json
from memoracle.proofs.obligations import solver

def cost(way):
    return solver.ask({FALSE!r}, use_cache=False, way=way).rlimit

costs = {{}}
for way in solver.Way:
    costs[way] = [cost(way)]
    for _ in range(3):  # as one who proves several components one after the other
        solver.prepare()
        solver.ask({HARD!r}, use_cache=False, rlimit=100_000)
        solver.prepare()
        costs[way].append(cost(way))
print(json.dumps(costs))
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own: the folder of its answers."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "memoracle" / "answers"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that the solver itself was asked."""
    texts: list[str] = []
    solve = solver._solve

    def noting(text: str, rlimit: int, way: solver.Way, needs: Needs | None) -> Answer:
        texts.append(text)
        return solve(text, rlimit, way, needs)

    monkeypatch.setattr(solver, "_solve", noting)
    return texts


def test_a_definite_answer_is_kept(cache: Path, asked: list[str]) -> None:
    first, again = ask(TRUE), ask(TRUE)
    assert (first.verdict, first.cached, again.cached) == ("sat", False, True)
    assert first.model == again.model == {"x": -(1 << 70), "y": 1 - (1 << 70)}
    assert (first.rlimit, first.seconds) == (again.rlimit, again.seconds)
    assert ask(FALSE).verdict == ask(FALSE).verdict == "unsat"
    assert asked == [TRUE, FALSE]
    assert [file.suffix for file in cache.iterdir()] == [".json", ".json"]


def test_without_the_cache_nothing_is_read(asked: list[str]) -> None:
    assert [ask(FALSE, use_cache=False).cached for _ in range(2)] == [False, False]
    assert ask(FALSE).cached
    assert len(asked) == 2


@pytest.mark.parametrize("way", [*solver.SHIFTS_UNKNOWN, solver.Way.BY_AND_BY])
def test_an_answer_is_no_older_than_what_it_rests_on(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, way: solver.Way
) -> None:
    before = solver.asks(way)
    assert before == solver.asks(way) != solver.asks(solver.Way.GOALS_APART)
    assert before.startswith(alone := solver.asks(solver.Way.AT_ONCE))
    assert alone == Path(solver.__file__).read_text() != before
    for text in (before, before + "# another law", before):
        monkeypatch.setattr(solver, "asks", lambda way, text=text: text)
        ask(FALSE, way=way)
    assert len(asked) == 2


def test_a_question_costs_the_same_whatever_was_asked_before() -> None:
    """In a process of its own: from some 300 MB on that a process has of it, the solver goes other ways."""
    done = subprocess.run([sys.executable, "-c", ASKS_AGAIN], capture_output=True, text=True, check=True)
    costs: dict[str, list[int]] = json.loads(done.stdout)
    assert costs.keys() == {*solver.Way}
    for way, of_each in costs.items():
        assert len(of_each) == 4
        assert of_each == of_each[:1] * 4, way
    assert all(each[0] > 0 for way, each in costs.items() if way != solver.Way.GOALS_APART)  # of which it has none


def test_unknown_is_never_kept(cache: Path, asked: list[str]) -> None:
    assert [ask(HARD, rlimit=1000).verdict for _ in range(2)] == ["unknown", "unknown"]
    assert len(asked) == 2
    assert not cache.exists()


def test_an_answer_is_kept_for_one_budget_and_one_version(monkeypatch: pytest.MonkeyPatch) -> None:
    ask(FALSE)
    assert not ask(FALSE, rlimit=solver.RLIMIT + 1).cached
    monkeypatch.setattr(solver, "VERSION", "z3 0.0")
    assert not ask(FALSE).cached


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"verdict": "unsat", "rlim',
        b"[]",
        b"\xff",
        b'{"verdict": "unsat"}',
        b'{"verdict": "unknown", "rlimit": 1, "seconds": 1.0, "cached": false, "model": {}}',
        b'{"verdict": "proved", "rlimit": 1, "seconds": 1.0, "cached": false, "model": {}}',
        b'{"verdict": "unsat", "rlimit": "1", "seconds": 1.0, "cached": false, "model": {}}',
    ],
)
def test_a_broken_file_is_no_answer(cache: Path, content: bytes) -> None:
    ask(TRUE)
    (file,) = cache.iterdir()
    file.write_bytes(content)
    answer = ask(TRUE)
    assert (answer.verdict, answer.cached) == ("sat", False)
    assert ask(TRUE).cached


def test_it_works_without_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memoracle").touch()  # where the folder should be
    assert [ask(FALSE).verdict, ask(FALSE).verdict] == ["unsat", "unsat"]
    solver.prune()
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setattr(Path, "home", lambda: no_home())
    assert ask(FALSE).verdict == "unsat"


def no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")


def test_a_file_appears_whole(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path, target: Path) -> None:
        raise OSError("no room")

    monkeypatch.setattr(Path, "replace", fail)
    assert ask(FALSE).verdict == "unsat"
    assert not list(cache.glob("*.json"))


def test_the_oldest_answers_go(cache: Path) -> None:
    cache.mkdir(parents=True)
    for age in range(5):
        (cache / f"{age}.json").touch()
        os.utime(cache / f"{age}.json", (1_000_000 - age, 1_000_000 - age))
    solver.prune(most=3)
    assert sorted(file.name for file in cache.iterdir()) == ["0.json", "1.json", "2.json"]
    assert stat.S_ISDIR(cache.stat().st_mode)


def test_values_of_functions_are_told() -> None:
    held, x, y = z3.Function("held@", z3.IntSort(), z3.BoolSort()), z3.Int("x"), z3.Int("y")
    model = ask(text_of([held(x), z3.Not(held(y)), x == 3, y == 4], integers=True)).model
    assert (model["x"], model["y"]) == (3, 4)
    elsewhere = model.get("held(elsewhere)")
    assert model.get("held(3)", elsewhere) is True
    assert model.get("held(4)", elsewhere) is False
