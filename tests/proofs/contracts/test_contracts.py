"""The runner of the contracts earns its verdicts: on a small package with good contracts and every kind of bad one."""

from __future__ import annotations

import pickle
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from crosshair.statespace import StateSpace
from crosshair.util import IgnoreAttempt

from memoracle.impl import buddy
from memoracle.proofs.contracts import crosshair, slots
from memoracle.proofs.contracts.crosshair import ContractResult
from memoracle.proofs.contracts.states import states_of

SMALL = '''
from collections import namedtuple
from dataclasses import dataclass


@dataclass
class Held:
    number: int

    def unread(self) -> int:
        return self.number


class Counter:
    """Counts up.

    inv: self.count >= 0
    """

    def __init__(self, count: int) -> None:
        """Starts at a number.

        pre: count >= 0
        post: self.count == count
        """
        self.count = count

    def up(self, by: int) -> None:
        """Adds. Not more than that.

        pre: by >= 0
        post: self.count == __old__.self.count + by
        """
        self.count += by

    def down(self) -> None:
        """Takes one away: not below 0, says the invariant.

        post: self.count == __old__.self.count - 1
        """
        self.count -= 1


def bare(number: int) -> int:
    return number


def undescribed(number: int) -> int:
    """post: __return__ == number"""
    return number


def only_before(number: int) -> int:
    """Promises nothing.

    pre: number > 0
    """
    return number


def misspelt(number: int) -> int:
    """One of its conditions is one that CrossHair does not read.

    post : __return__ == number + 1
    post: __return__ == number
    """
    return number


def broken(number: int) -> int:
    """Its condition is not Python.

    post: __return__ ==
    """
    return number


def impossible(number: int) -> int:
    """Cannot be called.

    pre: number > number
    post: __return__ == number
    """
    return number


def false(number: int) -> int:
    """Does not do what it says.

    post: __return__ >= number
    post: __return__ > 7
    """
    return number


def raising(number: int) -> int:
    """Raises in one case, which CrossHair accepts and no condition speaks of.

    post: __return__ == number
    raises: ValueError
    """
    if number == 5:
        raise ValueError
    return number


def hard(number: int) -> int:
    """True of each number up to some millions, one by one.

    pre: number >= 0
    post: __return__ >= 0
    """
    total = 0
    for each in range(number):
        total += each * each ^ number
    return total


def _private(number: int) -> int:
    return number
'''

VERDICTS = {
    "small.Counter.__init__": "proved",
    "small.Counter.up": "proved",
    "small.Counter.down": "refuted",
    "small.bare": "vacuous",
    "small.undescribed": "vacuous",
    "small.only_before": "vacuous",
    "small.misspelt": "vacuous",
    "small.broken": "refuted",
    "small.impossible": "vacuous",
    "small.false": "refuted",
    "small.raising": "vacuous",
    "small.hard": "unknown",
}
ENDLESS = "small.hard"  # whatever time there is, that is not enough


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package of one module, by a name of its own for each test."""
    name = f"package_{tmp_path.name}"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "small.py").write_text(SMALL)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_every_public_function_has_a_contract() -> None:
    without = [name for name, count in crosshair.conditions().items() if not count]
    assert without == []


def test_the_list_is_computed() -> None:
    names = crosshair.public_functions()
    assert {"bitmap.Bitmap.__init__", "buddy.order_for", "kernel_half.KernelHalf.write"} <= {*names}
    assert not [name for name in names if "._" in name.replace(".__init__", "")]
    assert not [name for name in names if name.startswith(("boot.Record", "boot.Interval"))]


def test_public_functions_of_another_package(package: str) -> None:
    assert crosshair.public_functions(package) == [*VERDICTS]
    assert crosshair.conditions(package)["small.Counter.up"] == 2
    assert crosshair.conditions(package)["small.only_before"] == 0


def test_verdicts_are_earned(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {name: crosshair.check(name, package) for name in VERDICTS if name != ENDLESS}
    monkeypatch.setattr(crosshair.OPTIONS, "per_condition_timeout", 1.0)
    monkeypatch.setattr(crosshair.OPTIONS, "per_path_timeout", 0.5)
    found[ENDLESS] = crosshair.check(ENDLESS, package)
    assert {name: result.verdict for name, result in found.items()} == VERDICTS
    assert all((result.counterexample is None) == (result.verdict == "proved") for result in found.values())
    assert "__return__ >" in (found["small.false"].counterexample or "")
    assert found["small.Counter.up"].claim == "Adds."
    assert found["small.Counter.up"].source == f"small.py:{line_of('def up')}"
    assert sys.modules[f"{package}.small"]


def line_of(text: str) -> int:
    return SMALL[: SMALL.index(text)].count("\n") + 1


def test_a_contract_of_the_reference() -> None:
    result = crosshair.check("buddy.Buddy.size")
    assert isinstance(result, ContractResult)
    assert (result.verdict, result.counterexample, result.component) == ("proved", None, "buddy")
    assert result.conditions == crosshair.conditions()["buddy.Buddy.size"]
    assert result.scope.startswith("bounded: ")


def test_run_gives_a_result_for_each_function_in_order(package: str, tmp_path: Path) -> None:
    (tmp_path / package / "small.py").write_text(SMALL[SMALL.index("def bare") : SMALL.index("def misspelt")])
    (tmp_path / package / "other.py").write_text(SMALL[SMALL.index("def false") : SMALL.index("def raising")])
    found = [(result.name, result.verdict) for result in crosshair.run(package=package)]
    assert found == [
        ("other.false", "refuted"),
        ("small.bare", "vacuous"),
        ("small.undescribed", "vacuous"),
        ("small.only_before", "vacuous"),
    ]
    assert [result.name for result in crosshair.run("other", package)] == ["other.false"]
    assert list(crosshair.run("nothing", package)) == []


def test_the_scope_has_every_state_of_the_buddy_system() -> None:
    states = [pickle.loads(state.image) for state in states_of(buddy, buddy.Buddy)]
    counts = Counter(state.depth for state in states if not state.fixed)
    # Of each of the largest blocks, pages that may be missing: h(0) = 3, h(d) = h(d-1)^2 + 1. Without: OEIS A003095.
    holes = {0: 3, 1: 10 + 3**2, 2: (10 + 10 + 3**2) * 3}  # of four pages, the last is not added
    assert counts == {0: holes[0], 1: holes[1], 2: holes[2] + 26 + 5**2 + 2**4}


def test_cases_that_crosshair_drops_are_no_confirmation(monkeypatch: pytest.MonkeyPatch) -> None:
    def dropping(space: StateSpace, cases: Sequence[object]) -> object:
        if space.smt_fork():
            raise IgnoreAttempt
        return cases[0]

    monkeypatch.setattr(slots, "_pick", dropping)
    result = crosshair.check("buddy.Buddy.size")
    assert (result.verdict, result.counterexample) == ("unknown", "confirmed in 1 of 1530 cases")
