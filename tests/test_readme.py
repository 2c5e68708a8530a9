"""What README.md and ARCHITECTURE.md show is so: commands print what is shown, and what is named exists."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from memoracle.cli import main
from memoracle.proofs import registry
from memoracle.trace.decoding import decode_event
from memoracle.trace.events import OPERATIONS
from memoracle.trace.geometry import geometry_from

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
EXAMPLES = ("frames", "pages")
WINGS = ("spec", "impl", "proofs", "oracle", "tests", "examples")


def blocks(language: str) -> list[str]:
    """The contents of README's fenced blocks of this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def commands() -> list[tuple[str, str]]:
    """Each command of a `console` block, and what is shown below it."""
    shown = [each for block in blocks("console") for each in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, output) for command, _, output in (each.partition("\n") for each in shown)]


def without_padding(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]


def test_there_are_commands_to_run() -> None:
    assert {shlex.split(command)[1] for command, _ in commands()} == {"check", "boot"}


@pytest.mark.parametrize(("command", "shown"), commands())
def test_a_command_prints_what_is_shown(
    command: str, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    program, *arguments = shlex.split(command)
    assert program == "memoracle"
    status = main(arguments)
    printed = capsys.readouterr()
    assert printed.err == ""
    assert without_padding(printed.out) == without_padding(shown)
    assert status == (1 if ": diverges: " in shown else 0)


def test_the_traces_of_the_worked_examples_are_those_shipped() -> None:
    assert blocks("json") == [(ROOT / "examples" / f"{name}.jsonl").read_text(encoding="utf-8") for name in EXAMPLES]


def test_the_worked_examples_are_excerpts_of_the_code_shipped() -> None:
    shown = [block for block in blocks("c") if "RECORD" in block]
    for name, block in zip(EXAMPLES, shown, strict=True):
        code = (ROOT / "examples" / f"{name}.c").read_text(encoding="utf-8").splitlines()
        assert [line for line in block.splitlines() if "…" not in line and line not in code] == []


def test_the_lines_to_record_with_write_events() -> None:
    formats = [line for block in blocks("c") for line in block.splitlines() if line.startswith("printf(")]
    texts = [json.loads(re.findall(r'"(?:[^"\\]|\\.)*"', line)[0]) for line in formats]
    events = [decode_event(re.sub(r"%l?[xu]", "1", text).encode()) for text in texts]
    assert [event.succeeded for event in events] == [True] * 3


def test_the_geometry_shown_is_one() -> None:
    (shown,) = blocks("toml")
    assert geometry_from(tomllib.loads(shown)).frames == 1 << 17


def test_every_operation_that_is_checked_has_a_row_and_no_other() -> None:
    section = README.split("### The trace\n")[1].split("\n### ")[0]
    rows = re.findall(r"^\| `(.*?)` \|", section, re.MULTILINE)
    assert sorted(rows) == sorted(OPERATIONS)


def test_every_theorem_named_is_proved() -> None:
    names = {obligation.name for obligation in registry.obligations([])}
    named = set(re.findall(rf"`((?:{'|'.join(registry.COMPONENTS)})\.[a-z.-]+)`", README)) - OPERATIONS
    assert named
    assert [name for name in named if not {name, name.replace(".", ".initially.", 1)} & names] == []


@pytest.mark.parametrize("text", [README, ARCHITECTURE], ids=["README", "ARCHITECTURE"])
def test_every_file_named_exists(text: str) -> None:
    named = re.findall(rf"`((?:{'|'.join(WINGS)})/[\w*./-]+\.\w+)`", text)
    assert named
    assert [name for name in named if not list(ROOT.glob(name))] == []
