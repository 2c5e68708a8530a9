"""How loops are cut: each way in which a broken loop could pass is found."""

from __future__ import annotations

import textwrap
from array import array
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from sortedcontainers import SortedSet

from memoracle.proofs.obligations.discharge import discharge
from memoracle.proofs.obligations.obligation import Claims
from memoracle.proofs.symbolic import execution
from memoracle.proofs.symbolic.containers import Set
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.exits import FOLDER, Exit
from memoracle.proofs.symbolic.hypothesis_pool import Sort
from memoracle.proofs.symbolic.loops import Iterates, Members, Rises, cut, falls
from memoracle.spec.clauses import implies

SORTS = {"item": Sort("item")}
STEP = "def step(left): left.pop()"


def reference(code: str, step: str = STEP) -> Any:
    """A module of the reference with this function `drain`, and the step that it repeats."""
    module = SimpleNamespace(extra=0)
    text = f"{step}\n{textwrap.dedent(code)}"
    names: dict[str, Any] = {"module": module, "SortedSet": SortedSet, "array": array}
    exec(compile(text, f"{FOLDER}/of_a_test.py", "exec"), names)
    module.step = names["step"]
    names["step"] = lambda *arguments: module.step(*arguments)
    module.drain = names["drain"]
    module.names = names
    return module


class Draining:
    """The loop empties a set. At its head the set may be any."""

    def __init__(self, left: Set) -> None:
        self.left = left

    def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Any:
        return Members(self.left.has, "item")

    def havoc(self, run: Run) -> Any:
        self.left.has, self.left.witnesses = run.relation("later", "item"), []

    def witnesses(self, result: Any) -> list[object]:
        return [self.left.has]

    def on_back_edge(self, run: Run, result: Any) -> Any:
        return Members(self.left.has, "item", self.left.popped)


def verdict(
    code: str, loop_of: Callable[[Set], Any] = Draining, step: str = STEP, claims: bool = True
) -> tuple[str, str]:
    """The verdict on the claim that what is drained is empty afterwards."""

    @Claims("test", SORTS)("drain", "refinement", "it is empty")
    def body(run: Run) -> None:
        module = reference(code, step)
        left = Set(run, run.relation("left", "item"), "item")
        loop = loop_of(left)
        cut(run, module, "step", lambda *arguments: loop)
        module.names["step"] = module.step  # the code calls what stands in for it
        module.names["left"] = left
        run.call(module.drain, left)
        run.assert_goal("nothing is left", not claims or implies(left.has(run.point("item")), False))

    found = discharge(body, use_cache=False)
    return found.verdict, found.counterexample or ""


def test_a_loop_that_does_its_work_is_proved() -> None:
    assert verdict("def drain(left):\n    while left:\n        step(left)") == ("proved", "")


def test_a_while_loop_made_a_for_loop_of_some_turns() -> None:
    code = """
        def drain(left):
            for _ in (0, 0, 0, 0, 0):
                if not left:
                    break
                step(left)
            return 7
    """
    found, why = verdict(code)
    assert found == "refuted"
    assert "in no `for` loop" in why


class Telling(Draining):
    """The step always answers 1."""

    def havoc(self, run: Run) -> Any:
        super().havoc(run)
        return 1


@pytest.mark.parametrize(
    ("code", "loop_of"),
    [
        (
            """
            def drain(left):
                seen = 0
                while left:
                    step(left)
                    seen = 5 if seen is None else None
                    if seen: break
                return 7
            """,
            Draining,
        ),
        (
            """
            def drain(left):
                before = 0
                while left:
                    now = step(left)
                    if before: break
                    before = now
                return 7
            """,
            Telling,
        ),
    ],
    ids=["None, as of a step without a result", "the result of the turn before"],
)
def test_what_is_equal_to_the_steps_result_may_not_change_either(code: str, loop_of: Callable[[Set], Any]) -> None:
    found, why = verdict(code, loop_of, "def step(left):\n    left.pop()\n    return 1" if loop_of is Telling else STEP)
    assert found == "refuted"
    assert "as it was, of which the loop's invariant says nothing" in why


def test_if_in_the_place_of_while() -> None:
    assert verdict("def drain(left):\n    if left:\n        step(left)")[0] == "refuted"


def test_a_loop_that_never_turns_is_vacuous() -> None:
    found, why = verdict("def drain(left):\n    if left:\n        step(left)", claims=False)
    assert (found, "no run turns the loop" in why) == ("vacuous", True)


def test_a_loop_that_is_not_cut_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "CHOICES", 10)
    found, why = verdict("def drain(left):\n    while left: left.pop()")
    assert (found, "more than" in why) == ("unknown", True)


def test_a_step_before_the_loop_is_a_loop_of_its_own() -> None:
    code = "def drain(left):\n    if left:\n        step(left)\n    while left:\n        step(left)"
    found, why = verdict(code)
    assert found == "refuted"
    assert "called from another place" in why


def test_a_return_before_the_loop_ends() -> None:
    code = "def drain(left):\n    while left:\n        step(left)\n        if left: return\n"
    assert verdict(code)[0] == "refuted"


def test_a_return_that_no_run_reaches() -> None:
    code = "def drain(left):\n    while left:\n        step(left)\n    if left: return True\n    return False"
    found, why = verdict(code)
    assert (found, "no run reaches the return" in why) == ("vacuous", True)


def test_a_turn_that_removes_nothing_does_not_end() -> None:
    step = "def step(left): left.add(left.pop())"
    found, why = verdict("def drain(left):\n    while left:\n        step(left)", step=step)
    assert found == "refuted"
    assert "comes to an end" in why


@pytest.mark.parametrize(
    "code",
    [
        "def drain(left):\n    turns = 0\n    while left:\n        step(left)\n        turns = turns + 1",
        "def drain(left):\n    kept = []\n    while left:\n        step(left)\n        kept.append(1)",
        "def drain(left):\n    kept = {}\n    while left:\n        step(left)\n        kept[1] = 1",
        "def drain(left):\n    while left:\n        step(left)\n        left.kept = left.parameter + 'x'",
        "def drain(left):\n    turns = iter((0, 0, 0))\n    while left and not next(turns, 1):\n        step(left)",
        "def drain(left):\n    kept = SortedSet()\n    while left:\n        step(left)\n        kept.add(1)",
        "def drain(left):\n    kept = array('Q')\n    while left:\n        step(left)\n        kept.append(1)",
    ],
    ids=["a number", "a list", "a dictionary", "an attribute", "an iterator", "a sorted set", "an array"],
)
def test_what_a_turn_changes_beyond_the_invariant_is_refuted(code: str) -> None:
    found, why = verdict(code)
    assert found == "refuted"
    assert "of which the loop's invariant says nothing" in why


def test_what_the_step_changes_beyond_the_invariant_is_refuted() -> None:
    step = "def step(left):\n    left.pop()\n    left.high = 7"
    found, why = verdict("def drain(left):\n    while left:\n        step(left)", step=step)
    assert found == "refuted"
    assert "left.high" in why


def test_a_loop_without_a_measure_is_refuted() -> None:
    class Endless(Draining):
        def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Any:
            return None

    found, why = verdict("def drain(left):\n    while left:\n        step(left)", Endless)
    assert found == "refuted"
    assert "has a measure" in why


def test_only_a_for_loop_iterates() -> None:
    class Through(Draining):
        def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Any:
            return Iterates()

    found, why = verdict("def drain(left):\n    while left:\n        step(left)", Through)
    assert found == "refuted"
    assert "`for` loop" in why


def test_local_variables_are_replaced_at_the_head_of_a_loop() -> None:
    class Counting(Draining):
        def changes(self, run: Run) -> dict[str, Any]:
            return {"turns": run.number("turns")}

        counts = ("turns",)

        def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Any:
            self.turns = arguments[1]
            return super().on_entry(run, arguments)

        def witnesses(self, result: Any) -> list[object]:
            return [self.left.has, self.turns]

    step = "def step(left, turns): left.pop()"
    code = "def drain(left):\n    turns = 0\n    while left:\n        step(left, turns)\n        turns = turns + 1\n"
    assert verdict(code, Counting, step)[0] == "proved"
    wrong = code + "    if turns > 3: left.add(1)\n"
    assert verdict(wrong, Counting, step)[0] == "refuted"


@pytest.mark.parametrize(
    ("before", "by", "due"),
    [(0, 1, "proved"), (0, 9, "proved"), (0, 0, "refuted"), (0, -1, "refuted"), (1, 1, "refuted")],
)
def test_a_number_measures_a_loop_if_it_falls_and_is_not_negative(before: int, by: int, due: str) -> None:
    """before: how much less than a number from 0 to 9 it is before a turn.  by: how far it falls."""

    @Claims("test", SORTS)("measure", "theorem", "it falls")
    def body(run: Run) -> None:
        number: Any = run.number("number", 0, 9) - before
        falls(run, number, number - by, Exit(reference("def drain(left): pass").drain.__code__, 0))

    assert discharge(body, use_cache=False).verdict == due


@pytest.mark.parametrize(
    ("by", "above", "moves", "due"),
    [
        (1, 0, 0, "proved"),
        (9, 0, 0, "proved"),
        (0, 0, 0, "refuted"),
        (-1, 0, 0, "refuted"),
        (1, 1, 0, "refuted"),
        (1, 0, 1, "refuted"),
        (1, 0, -1, "refuted"),
    ],
)
def test_a_number_measures_a_loop_if_it_rises_to_a_limit_that_stays(by: int, above: int, moves: int, due: str) -> None:
    """above: how far it may be above the limit before a turn.  moves: how much higher the limit is after it."""

    @Claims("test", SORTS)("measure", "theorem", "it rises")
    def body(run: Run) -> None:
        number: Any = run.number("number", 0, 9)
        limit: Any = run.number("limit", 0, 9)
        run.assume(number <= limit + above)
        site = Exit(reference("def drain(left): pass").drain.__code__, 0)
        falls(run, Rises(number, limit), Rises(number + by, limit + moves), site)

    assert discharge(body, use_cache=False).verdict == due


@pytest.mark.parametrize(("adds", "takes", "due"), [(0, 1, "proved"), (1, 1, "refuted"), (0, 0, "refuted")])
def test_a_set_measures_a_loop_if_it_loses_a_member_and_gets_none(adds: int, takes: int, due: str) -> None:
    @Claims("test", SORTS)("measure", "theorem", "it falls")
    def body(run: Run) -> None:
        has, one, other = run.relation("has", "item"), run.point("item"), run.point("item")
        run.assume(has(one), one != other)

        def after(item: Any) -> Any:
            return (has(item) & ((item != one) if takes else True)) | ((item == other) if adds else False)

        site = Exit(reference("def drain(left): pass").drain.__code__, 0)
        falls(run, Members(has, "item"), Members(after, "item", one), site)

    assert discharge(body, use_cache=False).verdict == due


class Failing(Draining):
    """A loop whose invariant is claimed to fail in one place: where the loop is entered, or on some back edge."""

    def __init__(self, left: Set, place: str, later: bool) -> None:
        """later: after any number of turns, and not at first."""
        super().__init__(left)
        self.place, self.later, self.turned = place, later, False

    def claim(self, run: Run, place: str) -> None:
        run.assert_goal("the invariant holds", (place, self.turned) != (self.place, self.later))

    def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Any:
        self.claim(run, "entry")
        return super().on_entry(run, arguments)

    def havoc(self, run: Run) -> Any:
        self.turned = True
        return super().havoc(run)

    def on_back_edge(self, run: Run, result: Any) -> Any:
        self.claim(run, "back edge")
        return super().on_back_edge(run, result)


@pytest.mark.parametrize("place", ["entry", "back edge", "nowhere"])
@pytest.mark.parametrize("later", [False, True])
def test_the_invariant_is_claimed_of_the_first_turn_and_of_any(place: str, later: bool) -> None:
    found, _ = verdict(
        "def drain(left):\n    while left:\n        step(left)", lambda left: Failing(left, place, later)
    )
    assert found == ("proved" if place == "nowhere" else "refuted")
