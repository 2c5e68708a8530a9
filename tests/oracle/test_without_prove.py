"""Without the extra `prove` everything else works, and what needs it says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
REFUSED = ("bitwuzla", "crosshair", "hypothesis", "pytest", "unicorn", "z3")
HINT = "needs the extra `prove`: pip install 'memoracle[prove]'\n"
SCRIPT = """
import contextlib, io, json, sys


class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in REFUSED:
            raise ModuleNotFoundError(f"no module named {name}", name=name)


sys.meta_path.insert(0, Refused())
sys.modules.update(dict.fromkeys(REFUSED))
from memoracle.cli import main

found = []
for command in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        status = main(command)
    found.append((status, out.getvalue(), err.getvalue()))
import memoracle

verdict = memoracle.check("examples/diverging.jsonl").verdict
try:
    refusal = str(memoracle.prove(["pat"]))
except ImportError as fault:
    refusal = f"{fault}\\n"
print(json.dumps({"found": found, "verdict": verdict, "refusal": refusal}))
"""
COMMANDS = {
    "check": ["check", "--quiet", "examples/conforming.jsonl"],
    "drive": ["drive", "--quiet", "--ops=50", "--geometry=examples/pool.toml", f"{sys.executable} examples/pool.py"],
    "boot": ["boot", "tests/data/e820/qemu-4g.txt"],
    "vectors": ["vectors", "--component=pat"],
    "a clause": ["explain", "bitmap.allocates-only-free"],
    "an operation": ["explain", "--format=json", "frame.allocate"],
    "a rule": ["explain", "frame.allocate.must-succeed"],
    "an obligation": ["explain", "bitmap.allocate.refines"],
    "prove": ["prove", "pat"],
}


@pytest.fixture(scope="module")
def ran() -> dict[str, Any]:
    script = f"REFUSED = {REFUSED}\n{SCRIPT}"
    command = [sys.executable, "-c", script, json.dumps([*COMMANDS.values()])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document | {"found": dict(zip(COMMANDS, document["found"], strict=True))}


def test_other_commands_need_no_solver(ran: dict[str, Any]) -> None:
    for command in ("check", "drive", "boot", "vectors"):
        status, out, err = ran["found"][command]
        assert (status, err) == (0, "")
        assert out
    assert "conforms" in ran["found"]["check"][1]
    assert "50 calls" in ran["found"]["drive"][1]
    assert ran["verdict"] == "diverges"


def test_the_law_is_explained_without_what_is_proved_of_it(ran: dict[str, Any]) -> None:
    for name in ("a clause", "an operation", "a rule"):
        status, out, err = ran["found"][name]
        assert status == 0
        assert err == f"memoracle: what is proved of it is not shown: that {HINT}"
        assert "bitmap.allocates-only-free" in out
        assert "No obligation" not in out
    assert "obligations" not in json.loads(ran["found"]["an operation"][1])
    status, _, err = ran["found"]["an obligation"]
    assert status == 2
    assert err.endswith(f"the names of obligations need the extra {HINT.partition('extra ')[2]}")


def test_prove_says_what_it_needs(ran: dict[str, Any]) -> None:
    assert ran["found"]["prove"] == [2, "", f"memoracle: `memoracle prove` {HINT}"]
    assert ran["refusal"] == f"`memoracle.prove` {HINT}"
