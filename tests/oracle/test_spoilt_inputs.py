"""What spoilt inputs showed once: each was a traceback that was caught, too much memory, or a command to a runner."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from memoracle.cli import main
from memoracle.drive.failures import Failures, read_kept
from memoracle.drive.python_object import PythonObject
from memoracle.drive.target import DiedError
from memoracle.proposals.c_functions import read_header
from memoracle.proposals.c_text import defined_numbers
from memoracle.trace.inputs import InputError

LONG = "x" * 5000
TRACE = str(Path(__file__).parents[2] / "examples" / "first.jsonl")
COMMAND = "##vso[task.complete]"


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", LONG, "--format=junit"],
        ["check", TRACE, f"--output={LONG}"],
        ["check", TRACE, f"--report=sarif={LONG}"],
        ["check", TRACE, f"--report=html={LONG}"],
        ["drive", LONG],
        ["drive", f"{LONG}.toml"],
        ["drive", f"module:{LONG}"],
        ["drive", "--binding=examples/targets/buddy.toml", LONG],
        ["snapshot", f"--qmp={LONG}"],
        ["init", LONG],
    ],
)
def test_a_name_that_no_file_can_have(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(arguments) == 2
    errors = capsys.readouterr().err
    assert errors
    assert "internal error" not in errors


@pytest.mark.parametrize("line", [b"[]", b"3", b'{"op": 3}', b'{"op": []}', b"{", b"[" * 5000, b'{"_others": 1}'])
def test_what_was_kept_of_a_failure_may_be_spoilt(line: bytes) -> None:
    with pytest.raises(InputError, match="kept: this is no trace that failed"):
        read_kept(Path("kept"), [b'{"memoracle": 1}', b'{"op": "boot", "memory_map": []}', line])
    with pytest.raises(InputError, match="kept: this is no trace that failed"):
        read_kept(Path("kept"), [line, line])


def test_what_was_kept_of_a_failure_may_be_out_of_reach(tmp_path: Path) -> None:
    (tmp_path / "it.failures" / "kept.jsonl").mkdir(parents=True)
    with pytest.raises(InputError, match=r"kept\.jsonl: cannot read: Is a directory"):
        Failures(str(tmp_path / "it")).kept()


def test_an_object_may_answer_with_anything() -> None:
    answers = iter(["\ud800", ["\ud800"], 10**5000, [10**400], float("nan"), {1: 2}, object()])
    target = PythonObject("made", SimpleNamespace(range_list=lambda: next(answers)))
    for _ in range(7):
        with pytest.raises(DiedError, match="is no answer"):
            target.call("range.list", {})


def test_an_exception_may_say_what_no_trace_can_have() -> None:
    class SilentError(Exception):
        def __str__(self) -> str:
            raise self

    def refuses(fault: Exception) -> Callable[[], object]:
        def refuse() -> object:
            raise fault

        return refuse

    for fault, said in ((ValueError("\ud800"), "ValueError: \\ud800"), (SilentError(), "SilentError")):
        target = PythonObject("made", SimpleNamespace(range_list=refuses(fault)))
        assert target.call("range.list", {}).error == said


def test_constants_of_a_header_may_be_none() -> None:
    assert defined_numbers(f"#define A 09\n#define B 010\n#define C {'9' * 5000}\n#define D 0x10\n") == {
        "B": 8,
        "D": 16,
    }


def test_constants_of_enumerations_are_computed_as_c_does() -> None:
    found = read_header(
        "enum of { A = (1 - 2) / 6, B = 7 / -2, C = 1 << 4, D = 1 / 0, E, F = (0 + -1) << -1, G = 3 * A };"
    )
    assert found.constants == {"A": 0, "B": -3, "C": 16, "D": 17, "E": 18, "F": 19, "G": 0}


def test_parameters_without_types_are_not_read() -> None:
    found = read_header("void *take(count);\nint give(int place);")
    assert (list(found.functions), found.unread) == (["give"], ["take: its parameters have no types"])


def test_the_name_of_a_file_may_have_lines(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = tmp_path / "a\n::error::b"
    text.write_text("ffffffff80000000-ffffffffc0000000 000000004000000NaN -rw\n", encoding="utf-8")
    for form in ("text", "json", "junit", "sarif"):
        assert main(["snapshot", f"--format={form}", str(text)]) == 2
        told = capsys.readouterr()
        assert not any(line.startswith("::") for line in (told.out + told.err).splitlines())


def test_no_runner_finds_a_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    trace = tmp_path / f"{COMMAND}.jsonl"
    trace.write_text(f'{{"memoracle": 1}}\n{{"op": "{COMMAND}"}}\n', encoding="utf-8")
    memory_map = tmp_path / "map.txt"
    memory_map.write_text(f"BIOS-e820: [mem 0x0000000000000000-0x000000000000ffff] us{COMMAND}able\n", encoding="utf-8")
    for form in ("text", "json", "junit", "sarif", "github"):
        for given in ([], [f"--memory-map={memory_map}"]):
            assert main(["check", f"--format={form}", *given, str(trace)]) == 2
            told = capsys.readouterr()
            assert "##" not in told.out + told.err
            if form == "sarif" or (form == "json" and not given):
                assert json.loads(told.out)
            if form == "junit":
                assert "#\\x23vso[" in "".join(ElementTree.fromstring(told.out).itertext())
