"""Faults are seeded where there is something to get wrong, proofs find them, and the harmless ones are held to."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from memoracle.proofs import registry
from memoracle.proofs.mutation import score as mutants
from memoracle.proofs.mutation import seeding
from memoracle.proofs.mutation.operators.law import operative
from memoracle.proofs.mutation.operators.mutants import Mutant
from memoracle.proofs.mutation.operators.mutants import mutants as seeded
from memoracle.proofs.mutation.seeding import Verdict

CODE = '''
LIMIT = 8

class Counter:
    def add(self, n: int) -> bool:
        """Counts."""
        if not 0 <= n < LIMIT or self.full:
            return False
        self.count += n
        return True
'''
LAW = """
def free(s: S, n: Number) -> Truth:
    return n < s.size

@clause("few")
def is_few(s: S, n: Number) -> Truth:
    return (0 <= n) & only(n)

@clause("claimed")
def claimed(s: S, n: Number) -> Truth:
    return free(s, n) & (n > 3)

def only(n: Number) -> Truth:
    return n < 3

@operation("c.add", guard=[is_few])
def add(s: S, n: Number) -> S:
    return replace(s, count=s.count + n, last=lambda m: (n == m) & free(s, n))
"""
TRIAL = """
import sys
from functools import partial
from memoracle.proofs.mutation import footprints, seeding
from memoracle.proofs.obligations import process_pool as pool

component, *same = sys.argv[1:]
[mutant] = [e for e in seeding.faults(component) if [e.function, e.original, e.mutated] == same]
names = footprints.Order(footprints.footprints(component, 2), {}).claims(mutant)
[(_, verdict)] = pool.run_each([partial(seeding.tried, mutant, component, lambda: names)])
print(verdict.outcome)
"""


def changes(found: list[Mutant]) -> set[tuple[str, str, str]]:
    return {(each.function, each.original, each.mutated) for each in found}


def test_what_only_contracts_say_is_left() -> None:
    code = "def add(n: int) -> int:\n    return _of(n)\n\n"
    words = "def _of(n: int) -> int:\n    return n + 1\n\ndef _said(n: int) -> bool:\n    return n > 1\n"
    found = seeded("impl/x.py", ast.parse(code + words), law=False)
    assert {each.function for each in found} == {"add", "_of"}


def test_code_is_changed_one_thing_at_a_time() -> None:
    test = "not 0 <= n < LIMIT or self.full"
    assert changes(seeded("impl/x.py", ast.parse(CODE), law=False)) == {
        ("", "LIMIT = 8", "LIMIT = 9"),
        ("", "LIMIT = 8", "LIMIT = 7"),
        *(
            ("Counter.add", test, mutated)
            for mutated in (
                f"not ({test})",
                "False",
                "not 0 <= n < LIMIT and self.full",
                "self.full",
                "not 0 <= n < LIMIT",
                "0 <= n < LIMIT or self.full",
                "not 0 < n < LIMIT or self.full",
                "not 0 <= n <= LIMIT or self.full",
                "not 0 <= n or self.full",
                "not n < LIMIT or self.full",
                "not 1 <= n < LIMIT or self.full",
            )
        ),
        ("Counter.add", "return False", "return True"),
        ("Counter.add", "self.count += n", "pass"),
        ("Counter.add", "self.count += n", "self.count -= n"),
        ("Counter.add", "return True", "return False"),
        ("Counter.add", f"if {test}: ...\nself.count += n", f"self.count += n\nif {test}: ..."),
        ("Counter.add", "self.count += n", "return True\nself.count += n"),
    }


def test_of_a_law_only_operations_are_changed() -> None:
    tree = ast.parse(LAW)
    assert operative(tree) == ["is_few", "only", "add"]
    found = changes(seeded("spec/x.py", tree, law=True))
    assert ("add", "guard=[is_few]", "guard=[]") in found
    assert ("add", "count=s.count + n", "count=s.count") in found
    assert ("add", "last=lambda m: (n == m) & free(s, n)", "last=lambda m: n == m") in found
    assert ("is_few", "return (0 <= n) & only(n)", "return only(n)") in found
    assert {function for function, _, _ in found} == {"is_few", "only", "add"}


def test_the_sound_module_stays_as_it_is() -> None:
    tree = ast.parse(CODE)
    before = ast.dump(tree)
    texts = {ast.unparse(each.applied()) for each in seeded("impl/x.py", tree, law=False)}
    assert ast.dump(tree) == before
    assert ast.unparse(tree) not in texts
    assert len(texts) == 19


def test_a_fault_that_is_there_twice_is_told_apart() -> None:
    tree = ast.parse("def f(a):\n    if a:\n        return False\n    return False\n")
    found = seeded("impl/x.py", tree, law=False)
    assert [each.occurrence for each in found if each.mutated == "return True"] == [0, 1]


def test_a_fault_in_the_reference_is_refuted() -> None:
    assert verdict("return index", "return None") == "refuted"


def test_a_guard_that_the_law_leaves_out_is_refuted() -> None:
    guard = "guard=[type_exists, index_is_allowed, index_has_the_type]"
    assert verdict(guard, "guard=[type_exists, index_is_allowed]") == "refuted"


def test_a_fault_that_changes_nothing_survives() -> None:
    test = "return register >> 64 == 0 and register & HIGHEST_BITS == 0 and (two_or_three == 0)"
    assert verdict(test, test.replace("64", "63"), "accepts") == "survived"


def verdict(original: str, mutated: str, function: str = "select") -> str:
    """What becomes of a fault in the page attribute table, in a process that has not imported it."""
    command = [sys.executable, "-c", TRIAL, "pat", function, original, mutated]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=900).stdout.strip()


def test_the_list_of_harmless_faults_is_held_to() -> None:
    found = [each for each in seeding.faults("kernel_half") if each.function == "KernelHalf.end_update"]
    verdicts = [(each, Verdict("refuted", "some.proof", "proof")) for each in found[:1]]
    scores = [mutants.Score("kernel_half", verdicts)]
    absent = ("impl/kernel_half.py", "KernelHalf.end_update", "a", "b", 0)
    elsewhere = ("impl/buddy.py", "Buddy.free", "a", "b", 0)
    wrong = mutants.misfits(scores, {found[0].key: "no reason", absent: "none", elsewhere: "not tried"})
    assert wrong[0].startswith("not equivalent, some.proof refutes it: impl/kernel_half.py KernelHalf.end_update")
    assert wrong[1:] == ["there is no such fault: impl/kernel_half.py KernelHalf.end_update: a -> b"]


def test_the_list_needs_reasons() -> None:
    entry = '[[equivalent]]\nmodule = "m"\nfunction = "f"\noriginal = "a"\nmutated = "b"\n'
    assert mutants.equivalents(entry + 'reason = "never read"') == {("m", "f", "a", "b", 0): "never read"}
    for reason in ("", 'reason = " "', "reason ="):
        with pytest.raises(mutants.EquivalentsError, match="equivalent_mutants"):
            mutants.equivalents(entry + reason)


def test_the_list_that_is_shipped_names_faults_that_there_are() -> None:
    listed = mutants.equivalents(Path(mutants.EQUIVALENT).read_text(encoding="utf-8"))
    every = {each.key for component in mutants.COMPONENTS for each in seeding.faults(component)}
    assert set(listed) <= every


def test_the_components_are_those_that_are_proved() -> None:
    assert set(mutants.COMPONENTS) == set(registry.COMPONENTS)


def test_survivors_are_listed_and_fail_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    mutant = next(each for each in seeding.faults("kernel_half") if each.function == "KernelHalf.end_update")
    scores = [mutants.Score("kernel_half", [(mutant, Verdict("survived", "3 claims"))])]
    assert not mutants.report(scores, {}, Console(width=120))
    out = capsys.readouterr().out
    assert f"{mutant.module}:{mutant.line} KernelHalf.end_update: survived" in out
    assert f"- {mutant.original}" in out
    assert mutants.report(scores, {mutant.key: "for this test"}, Console(width=120))
    assert "0/0" in capsys.readouterr().out
