"""A loop whose `havoc` supposes more than a turn keeps is refuted: what a turn left must be one of its states."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from memoracle.proofs.obligations.discharge import discharge
from memoracle.proofs.obligations.obligation import Claims
from memoracle.proofs.symbolic.containers import Set
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.exits import FOLDER
from memoracle.proofs.symbolic.hypothesis_pool import Sort
from memoracle.proofs.symbolic.loops import Rises, cut
from memoracle.spec.clauses import implies

SORTS = {"item": Sort("item", 99)}
CODE = """
def step(noted, at):
    noted.add(at)
    return at + 1

def note(noted, last):
    at = 0
    while at < last:
        at = module.step(noted, at)
    return at
"""


class Noting:
    """The loop notes each number below one that rises to a limit."""

    points = {"_has": ("item",)}  # noqa: RUF012

    def __init__(self, noted: Set, last: Any) -> None:
        self.noted, self.last = noted, last

    def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Any:
        return Rises(arguments[1], self.last)

    def havoc(self, run: Run) -> Any:
        at = run.point("item")
        self.noted.has, self.noted.witnesses = run.relation("later", "item"), []
        has = self.noted.has
        run.suppose(at <= self.last)
        run.assume_for_all(("item",), lambda item: implies(item < at, has(item)))
        return at

    def witnesses(self, result: Any) -> list[object]:
        return [result, self.noted.has]

    def on_back_edge(self, run: Run, result: Any) -> Any:
        return Rises(result, self.last)


class TooLow(Noting):
    """Of the number too little is left."""

    def havoc(self, run: Run) -> Any:
        at = super().havoc(run)
        run.suppose(at < 3)
        return at


class TooStrong(Noting):
    """Of all points more is supposed than is so."""

    def havoc(self, run: Run) -> Any:
        at = super().havoc(run)
        has = self.noted.has
        run.assume_for_all(("item",), lambda item: implies(has(item), item < at - 1))
        return at


class Assumed(Noting):
    """What is supposed is written as a fact."""

    def havoc(self, run: Run) -> Any:
        at = super().havoc(run)
        run.assume(at == 1)
        return at


class Constant(Noting):
    """The step returned the limit, and nothing else."""

    def havoc(self, run: Run) -> Any:
        self.noted.has, self.noted.witnesses = run.relation("later", "item"), []
        return self.last

    def witnesses(self, result: Any) -> list[object]:
        return [self.noted.has]


class Narrow(Noting):
    """The number lies within bounds that are too narrow."""

    def havoc(self, run: Run) -> Any:
        at = run.fresh("item", 0, 7)
        self.noted.has, self.noted.witnesses = run.relation("later", "item"), []
        has = self.noted.has
        run.suppose(at <= self.last)
        run.assume_for_all(("item",), lambda item: implies(item < at, has(item)))
        return at


class Fixed(Noting):
    """The set has what it need not have."""

    def havoc(self, run: Run) -> Any:
        at = super().havoc(run)
        has = self.noted.has
        self.noted.has = lambda item: has(item) | (item == 50)
        return at


class AsItIs(Noting):
    """The set is said to be what it was before the loop, as read from where it is put."""

    def havoc(self, run: Run) -> Any:
        before = self.noted.has
        at = run.point("item")
        self.noted.has = lambda item: before(item) | False
        run.suppose(at <= self.last)
        return at

    def witnesses(self, result: Any) -> list[object]:
        return [result]


class Unwitnessed(Noting):
    """One unknown has no witness."""

    def witnesses(self, result: Any) -> list[object]:
        return [result]


class TooMany(Noting):
    """There is a witness for nothing."""

    def witnesses(self, result: Any) -> list[object]:
        return [*super().witnesses(result), 0]


class Branching(Noting):
    """Half of the states are left out by a choice."""

    def havoc(self, run: Run) -> Any:
        at = super().havoc(run)
        return at if at < 5 else 5


def verdict(loop_of: Callable[[Set, Any], Any], claims: bool = False) -> tuple[str, str]:
    """The verdict on the loop; claims: and on the claim that all below the limit are noted."""

    @Claims("test", SORTS)("note", "refinement", "all are noted")
    def body(run: Run) -> None:
        module = SimpleNamespace()
        names: dict[str, Any] = {"module": module}
        exec(compile(CODE, f"{FOLDER}/of_a_test.py", "exec"), names)
        module.step = names["step"]
        noted, last = Set(run, run.relation("noted", "item"), "item"), run.number("last", 0, 99)
        cut(run, module, "step", lambda *arguments: loop_of(noted, last))
        run.call(names["note"], noted, last)
        item = run.point("item")
        run.assert_goal("each is noted", not claims or implies(item < last, noted.has(item)))

    found = discharge(body, use_cache=False)
    return found.verdict, found.counterexample or ""


def test_what_a_turn_keeps_may_be_supposed() -> None:
    assert verdict(Noting, claims=True) == ("proved", "")


@pytest.mark.parametrize(
    ("loop", "why"),
    [
        (TooLow, "what the loop supposes is so after a turn"),
        (TooStrong, "what the loop supposes is so after a turn"),
        (Assumed, "what the loop supposes is so after a turn"),
        (Constant, "the loop supposes it"),
        (Narrow, "item lies where the loop supposes it after a turn"),
        (Fixed, "as the loop supposes it"),
        (AsItIs, ""),
        (Unwitnessed, "no witness for its unknown later"),
        (TooMany, "more witnesses than its havoc has unknowns"),
        (Branching, "branches on a truth"),
    ],
)
def test_what_a_turn_does_not_keep_may_not_be_supposed(loop: Callable[[Set, Any], Any], why: str) -> None:
    found, reason = verdict(loop)
    assert found == "refuted"
    assert why in " ".join(reason.split())
