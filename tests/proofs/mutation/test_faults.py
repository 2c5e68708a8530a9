"""Faults made by hand: each can be applied, and what is wrong with one is said. `make faults` tries them all."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from memoracle.proofs import registry
from memoracle.proofs.contracts.docstrings import functions
from memoracle.proofs.mutation import faults as made
from memoracle.proofs.mutation.seeding import tree_of

FAULTS = made.faults()
SOUND = """
file = "impl/kernel_half.py"
says = "an update is never ended"
function = "KernelHalf.end_update"
old = "self.updating = False"
new = "self.updating = True"
refuted_by = "kernel_half.end-update.refines"
"""


def tried(folder: Path, text: str, name: str = "some") -> tuple[int, str, str]:
    """The status, output and errors of trying this fault, in a process that has not imported the sound module."""
    (folder / "kernel_half").mkdir()
    (folder / "kernel_half" / f"{name}.toml").write_text(text)
    command = [sys.executable, "-m", made.__name__, "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def functions_of(tree: ast.Module) -> dict[str, str]:
    """What each function of a module and method of its classes does, by its qualified name."""
    owners = {"": tree.body} | {f"{each.name}.": each.body for each in tree.body if isinstance(each, ast.ClassDef)}
    return {
        f"{owner}{each.name}": ast.dump(each)
        for owner, body in owners.items()
        for each in body
        if isinstance(each, ast.FunctionDef)
    }


@cache
def sound_functions(module: str) -> dict[str, str]:
    return functions_of(tree_of(module))


@cache
def functions_with(fault: made.MadeFault) -> dict[str, str]:
    return functions_of(fault.applied())


def test_each_can_be_applied() -> None:
    assert [fault.name for fault in FAULTS if not (functions_with(fault) and fault.patch.says)] == []


def test_each_public_function_has_two() -> None:
    """A fault is one of each function that it changes."""
    count = Counter(
        (fault.module, name)
        for fault in FAULTS
        for name, body in functions_with(fault).items()
        if body != sound_functions(fault.module).get(name)
    )
    public = [(f"impl/{each.component}.py", each.qualified) for each in functions("memoracle.impl")]
    assert len(public) > 100
    assert [each for each in public if count[each] < 2] == []


def test_each_names_an_obligation() -> None:
    names = {each.name for each in registry.obligations([])}
    assert [fault.name for fault in FAULTS if fault.patch.refuted_by not in names] == []


def test_a_fault_that_is_refuted(tmp_path: Path) -> None:
    assert tried(tmp_path, SOUND) == (0, "1 of 1 faults refuted by the obligation that they name\n", "")


def test_a_fault_that_survives_is_shown(tmp_path: Path) -> None:
    status, out, _ = tried(tmp_path, SOUND.replace("= True", "= self.updating & False"), "no-change")
    assert status == 1
    assert "survived: kernel_half/no-change (an update is never ended)" in out
    assert "0 of 1 faults refuted" in out


def test_no_faults_are_no_success() -> None:
    assert made.main(["nothing"]) == 1


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('says = "an update is never ended"\n', "", "missing required field `says`"),
        ("self.updating = False", "nowhere", "`old` stands 0 times"),
        ("KernelHalf.end_update", "KernelHalf.nowhere", "there is no function KernelHalf.nowhere"),
        ('"self.updating = True"', '"self.updating ="', "invalid syntax"),
        ("impl/kernel_half.py", "impl/nowhere.py", "No such file"),
        ("file =", "file", "Expected '='"),
        ("refuted_by", "by", "unknown field `by`"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, old: str, new: str, says: str) -> None:
    status, out, err = tried(tmp_path, SOUND.replace(old, new, 1))
    assert (status, out) == (2, "")
    assert err.startswith("kernel_half/some: ")
    assert says in err
