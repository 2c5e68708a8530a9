"""Tests that are emitted: what a trace says stands in their strings and remarks, never in the program itself."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from fuzzing.corpora import ROOT
from fuzzing.texts import KINDS, argument, as_lines
from memoracle.commands.drive import checking
from memoracle.drive.binding import Binding
from memoracle.drive.binding_file import load_binding
from memoracle.drive.log import ENCODE
from memoracle.report.check_report import TraceResult
from memoracle.reproducers import pytest_calls
from memoracle.reproducers.conditions import due_of
from memoracle.reproducers.emit import CAN, TEXTS
from memoracle.reproducers.failing_run import FailingRun, ReproducerError, failing_run
from memoracle.reproducers.forms import PYTEST
from memoracle.reproducers.program_writer import program

MARK = "zqx"  # what is called where something became a part of the program
CODE = [
    *(f'"; {MARK}(); "', f"*/ {MARK}(); /*", f"\n{MARK}()\n", f"\r{MARK}()", f"\u2028{MARK}()", f"\x0b{MARK}()"),
    *(f"??/\n{MARK}();", f"'''; {MARK}(); '''", f'""" + {MARK}() + """', f"//\\\n{MARK}();", f'\\"; {MARK}(); \\"'),
    *(f"{{{MARK}()}}", f"%{MARK}", f"*\\\n/ {MARK}(); /*", f'"# {MARK}() #"', f"\\\n{MARK}()", "\\", "??/"),
]
TARGETS = ("frames", "runs", "heap")  # in examples/targets
PROGRAM, OBJECT = "program", "object"
FORMS = [*TEXTS, PROGRAM, OBJECT]
# Whatever is no code, once lines are joined as C does: remarks, strings, characters.
NO_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', re.DOTALL)
KEYS = dict(KINDS)
SMALL = {"frames": 64, "kernel_image_frames": 1}  # a large machine takes long to make


class Emitted(NamedTuple):
    """A trace, whose failure is written as a test in a form, for a target."""

    form: str
    target: str
    trace: bytes


@cache
def binding_of(target: str) -> Binding:
    return load_binding(str(ROOT / "examples" / "targets" / f"{target}.toml"))


@cache
def checked() -> Callable[[list[bytes]], TraceResult]:
    check = checking("legal")
    return lambda lines: check.outcomes_of("<run>", iter(lines))[0]


def hostile(random: Random) -> str:
    return "".join(random.choice(CODE) for _ in range(random.randrange(1, 3)))


def emitted(random: Random) -> Emitted:
    target = random.choice(TARGETS)
    geometry = binding_of(target).says.geometry
    geometry = (dict(geometry) if isinstance(geometry, dict) else {"preset": geometry}) | SMALL
    if not random.randrange(4):
        geometry["zones"] = [{"name": hostile(random), "start": 0, "bytes": 1 << 21}]
    events = [event(random, [*binding_of(target).says.operations]) for _ in range(random.randrange(1, 6))]
    return Emitted(random.choice(FORMS), target, as_lines({"memoracle": 1, "geometry": geometry}, events))


def event(random: Random, operations: list[str]) -> dict[str, Any]:
    """One that is most often in order, so that a test can be written of it."""
    operation = random.choice(operations)
    found: dict[str, Any] = {"op": operation, f"_{hostile(random)}": hostile(random)}
    outcome = random.choice(["result", "result", "error", "crash"])
    if outcome != "result":
        found[outcome] = hostile(random)
    elif "result" in KEYS[operation]:
        found["result"] = random.choice([0x1000, 0x2000, 0x3001, hex(0xFFFF800000000000 + random.randrange(99) * 16)])
    for name in KEYS[operation]:
        if name in ("address", "bytes"):
            found[name] = random.choice([0x1000, 0x2000, 48])
        elif name not in ("result", "error", "crash") and not random.randrange(6):
            found[name] = hostile(random) if name == "zone" else argument(random, name)
    return found


def emit(_: Path, case: Emitted) -> None:
    """The text of a test has nothing of a trace but in strings and remarks."""
    binding, lines = binding_of(case.target), case.trace.splitlines()
    found = checked()(lines)
    if not found.divergences:
        return
    divergence = found.divergences[0]
    try:
        head, calls = lines[:1], lines[1 : divergence.line]
        run = failing_run(head, calls, divergence.finding, lambda some: checked()([*map(ENCODE, some)]))
        text = text_of(case.form, binding, run)
    except ReproducerError:
        return
    hold_text(case.form, text)


def text_of(form: str, binding: Binding, run: FailingRun) -> str:
    due = due_of(run, binding.geometry)
    if form == PROGRAM:
        return pytest_calls.of_program(["program"], run, due)
    if form == OBJECT:
        return pytest_calls.of_object("module:name", run, due)
    return TEXTS[form](program(binding, run, due, CAN[form]), run)


def hold_text(form: str, text: str) -> None:
    assert text.isascii(), text
    if form in (PYTEST, PROGRAM, OBJECT):
        ast.parse(text)
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            assert token.type in (tokenize.STRING, tokenize.COMMENT) or MARK not in token.string, token
    else:
        joined = text.replace("??/", "\\").replace("\\\n", "")
        assert MARK not in NO_CODE.sub("", joined), text
