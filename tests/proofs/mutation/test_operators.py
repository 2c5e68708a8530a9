"""Each operator makes the faults that it is named for, in the text of a module."""

from __future__ import annotations

import ast

import pytest

from memoracle.proofs.mutation.operators import classes, expressions, statements
from memoracle.proofs.mutation.operators.independence import commute
from memoracle.proofs.mutation.operators.mutants import mutants


def faulty(member: str, operator: str) -> set[str]:
    """What a class with this one function becomes: the class's text after its first line, for each fault."""
    tree = ast.parse("class Slots:\n" + "\n".join(f"    {line}" for line in member.strip("\n").split("\n")))
    found = [each for each in mutants("impl/slots.py", tree, law=False) if each.operator == operator]
    return {ast.unparse(_only_class(each.applied())).removeprefix("class Slots:\n") for each in found}


def _only_class(tree: ast.Module) -> ast.ClassDef:
    [made] = tree.body
    assert isinstance(made, ast.ClassDef)
    return made


def text(member: str) -> str:
    tree = ast.parse("class Slots:\n" + "\n".join(f"    {line}" for line in member.strip("\n").split("\n")))
    return ast.unparse(tree).removeprefix("class Slots:\n")


LOOP = """
def f(self, n):
    while n < self.end:
        n = self.step(n)
    return n
"""
IF = """
def f(self, n):
    if n:
        self.step(n)
    return n
"""
ROLL_BACK = """
def f(self, taken):
    if self.full:
        for each in taken:
            self.free(each)
        self.count()
        return None
    return taken
"""


def test_a_loop_turns_once_and_a_condition_is_repeated() -> None:
    assert faulty(LOOP, statements.LOOP) == {text(LOOP.replace("while", "if"))}
    assert faulty(IF, statements.LOOP) == {text(IF.replace("if", "while"))}


@pytest.mark.parametrize("ending", ["break", "continue"])
def test_a_loop_that_is_ended_from_within_is_no_condition(ending: str) -> None:
    body = f"        if n == self.last:\n            {ending}\n        n = self.step(n)"
    assert faulty(LOOP.replace("        n = self.step(n)", body), statements.LOOP) == set()
    inner = f"        for each in self:\n            {ending}\n        n = self.step(n)"
    assert len(faulty(LOOP.replace("        n = self.step(n)", inner), statements.LOOP)) == 1


def test_a_condition_that_ends_the_function_is_no_loop() -> None:
    assert not faulty(ROLL_BACK, statements.LOOP)


def test_a_statement_is_left_out() -> None:
    step = "self.step(n)"
    assert faulty(IF, statements.DELETED) == {text(IF.replace(step, "pass"))}
    assert faulty(LOOP, statements.DELETED) == {text(LOOP.replace("n = self.step(n)", "pass"))}


def test_a_name_keeps_its_only_value() -> None:
    assert not faulty("def f(self):\n    n = 1\n    return n", statements.DELETED)


def test_neighbours_are_exchanged() -> None:
    member = "def f(self, n):\n    self.first(n)\n    self.second(n)\n    return n"
    exchanged = "def f(self, n):\n    self.second(n)\n    self.first(n)\n    return n"
    assert faulty(member, statements.SWAPPED) == {text(exchanged)}


@pytest.mark.parametrize(
    ("first", "second", "free"),
    [
        ("self.a = n", "self.b = n", True),
        ("self.a = []", "self.b.add(n)", True),
        ("self.a = n", "self.b = self.a", False),
        ("self.a.add(n)", "self.a.remove(m)", False),
        ("self.a.add(n)", "self.b[n] = self.a", False),
        ("self.a = n", "self.step()", False),
        ("self.a = n", "self.b.step(n)", False),
        ("n = self.a.pop()", "self.b = n", False),
        ("del self.a[n]", "self.b.discard(n)", True),
        ("self.a += n", "if self.a:\n    return n", False),
        ("if self.a:\n    return n", "m = n + 1", True),
        ("if n is None:\n    return n", "m = self.a[n]", False),
        ("set_bits(self.a, n)", "self.b = n", False),
    ],
)
def test_statements_that_have_nothing_in_common_stay(first: str, second: str, free: bool) -> None:
    [one], [other] = ast.parse(first).body, ast.parse(second).body
    assert commute(one, other) == free


def test_a_copy_is_not_made() -> None:
    member = "def f(self):\n    return self.table.copy()"
    assert faulty(member, expressions.COPY) == {text(member.replace(".copy()", ""))}


def test_all_elements_are_one_object() -> None:
    made = "def f(self, n):\n    return [set() for _ in range(n + 1)]"
    assert faulty(made, expressions.SHARED) == {text(made.replace("set() for _ in range(n + 1)]", "set()] * (n + 1)"))}
    assert not faulty("def f(self, n):\n    return [set(i) for i in range(n)]", expressions.SHARED)


def test_an_attribute_is_the_class_s() -> None:
    member = "def __init__(self, n):\n    self.n = n\n    self.free = set()"
    shared = "def __init__(self, n):\n    self.n = n\nfree = set()"
    assert faulty(member, classes.SHARED) == {text(shared)}


def test_an_attribute_that_arguments_decide_is_the_first_object_s() -> None:
    member = "def __init__(self, n):\n    self.words = [0] * n"
    [found] = faulty(member, classes.SHARED)
    assert found == text("def __init__(self, n):\n    if 'words' not in vars(Slots):\n        Slots.words = [0] * n")


def test_arguments_are_exchanged() -> None:
    member = "def f(self, a, b, c):\n    return self.step(a, b, c)"
    calls = {"self.step(b, a, c)", "self.step(a, c, b)"}
    assert faulty(member, expressions.ARGUMENTS) == {text(member.replace("self.step(a, b, c)", each)) for each in calls}
    assert not faulty("def f(self, a, b):\n    return min(a, b)", expressions.ARGUMENTS)


def test_a_loop_s_bound_moves_by_one() -> None:
    assert faulty(LOOP, statements.BOUND) == {
        text(LOOP.replace("self.end", f"self.end {off}")) for off in ("+ 1", "- 1")
    }
    member = "def f(self, n):\n    for i in range(n):\n        self.step(i)"
    ranges = {"range(n + 1)", "range(n - 1)", "range(1, n)"}
    assert faulty(member, statements.BOUND) == {text(member.replace("range(n)", each)) for each in ranges}
    member = "def f(self, given):\n    for i in given:\n        self.step(i)"
    parts = {"in given[1:]", "in given[:-1]"}
    assert faulty(member, statements.BOUND) == {text(member.replace("in given", each)) for each in parts}


def test_a_function_returns_before_its_last_effects() -> None:
    member = "def f(self, n):\n    self.first(n)\n    self.second(n)\n    return True"
    assert faulty(member, statements.EARLY) == {text("def f(self, n):\n    self.first(n)\n    return True")}
    member = "def f(self, n):\n    self.first(n)\n    m = self.second(n)\n    self.third(m)\n    return m"
    early = "def f(self, n):\n    self.first(n)\n    m = self.second(n)\n    return m"
    assert faulty(member, statements.EARLY) == {text(early)}


def test_a_roll_back_undoes_nothing_or_one_thing() -> None:
    dropped = """
def f(self, taken):
    if self.full:
        return None
    return taken
"""
    half = ROLL_BACK.replace("self.free(each)", "self.free(each)\n            break")
    assert faulty(ROLL_BACK, statements.ROLL_BACK) == {text(dropped), text(half)}


def test_a_default_is_another() -> None:
    member = "def f(self, n, safe=False, *, least=1):\n    return n"
    changed = {member.replace("False", "True"), member.replace("=1", "=2"), member.replace("=1", "=0")}
    assert faulty(member, statements.DEFAULT) == {text(each) for each in changed}
    assert faulty("safe: bool = True", statements.DEFAULT) == {text("safe: bool = False")}


def test_faults_with_the_same_text_have_names_of_their_own() -> None:
    steps = "        self.a()\n        self.b()\n"
    tree = ast.parse(
        f"def f(self, n):\n    if n:\n{steps}    else:\n{steps}    self.c()\n{steps.replace('        ', '    ')}"
    )
    found = mutants("impl/slots.py", tree, law=False)
    assert len({each.key for each in found}) == len(found) > 10
    assert len({ast.unparse(each.applied()) for each in found}) == len(found)
