from __future__ import annotations

import argparse
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from memoracle import cli
from memoracle.cli import main
from memoracle.commands import boot
from memoracle.console.exit_status import Status, worst
from memoracle.trace.inputs import InputError

QEMU = str(Path(__file__).parent.parent / "data" / "e820" / "qemu-4g.txt")
PROGRAM = [sys.executable, "-m", "memoracle"]


def fail_with(monkeypatch: pytest.MonkeyPatch, fault: BaseException) -> None:
    def run(args: argparse.Namespace) -> int:
        raise fault

    monkeypatch.setattr(boot, "run", run)


def test_help_names_each_command_and_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "boot" in capsys.readouterr().out
    assert main(["boot", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(option in text for option in ("--geometry", "--format", "--output", "--quiet"))


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"memoracle {metadata.version('memoracle')}\n"


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["boot"], ["boot", "a", "b"], ["boot", "--format", "xml", "a"], ["boot", "--fast", "a"]]
)
def test_usage_error_is_status_2(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "usage: memoracle" in captured.err


def naming() -> list[tuple[str, str]]:
    """Of each command, the options and arguments that are names: of files, maps, rules or components."""
    commands = next(a for a in cli.parser()._actions if isinstance(a, argparse._SubParsersAction))
    return [
        (command, action.option_strings[0] if action.option_strings else action.dest)
        for command, parser in commands.choices.items()
        for action in parser._actions
        if action.metavar
        in {"TRACE", "LOG", "FILE", "FILE.toml", "FILE.h", "PRESET|FILE.toml", "NAME"}
        | {"COMPONENT", "TARGET", "DUMP", "SOCKET", "LIBRARY"}
    ]


@pytest.mark.parametrize(("command", "named"), naming())
def test_an_empty_name_is_refused_as_one(capsys: pytest.CaptureFixture[str], command: str, named: str) -> None:
    arguments = [named, ""] if named.startswith("--") else [""]
    others = {
        "prove": ["pat"],
        "check": [QEMU],
        "boot": [QEMU],
        "explain": ["bitmap"],
        "drive": ["a:b"],
        "snapshot": [QEMU],
        "vectors": ["--component", "bitmap"],
        "init": ["library.so"],
    }[command]
    assert main([command, *arguments, *(others if named.startswith("--") else [])]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "a name was expected, not ''" in captured.err or "no component ''" in captured.err


def test_a_minus_is_standard_output(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = str(Path(QEMU).resolve())
    monkeypatch.chdir(tmp_path)
    for command in (["boot", log], ["init"]):
        assert main([*command, "--output", "-"]) == main(command) == 0
        whole = capsys.readouterr().out
        assert whole[: len(whole) // 2] == whole[len(whole) // 2 :] != ""
    assert not list(tmp_path.iterdir())
    # Whatever names a file to write says so.
    for command in (["check", log], ["drive", "a:b"]):
        read = cli.parser().parse_args([*command, "--output", "-", "--emit-output", "-"])
        assert (read.output, read.emit_output) == (None, None)


@pytest.mark.parametrize("option", ["--level", "--format", "--geometry", "--map", "--budget"])
def test_two_hyphens_are_no_value(capsys: pytest.CaptureFixture[str], option: str) -> None:
    assert main(["check", f"{option}=--", QEMU]) == 2
    said = capsys.readouterr().err
    assert f"argument {option}" in said
    assert "internal error" not in said


def test_each_command_has_names() -> None:
    found = naming()
    assert {command for command, _ in found} == {
        "prove",
        "check",
        "drive",
        "snapshot",
        "boot",
        "explain",
        "vectors",
        "init",
    }
    assert {"--geometry", "--output", "--memory-map", "--map", "traces", "log", "name"} <= {named for _, named in found}


@pytest.mark.parametrize(
    ("fault", "status", "message"),
    [
        (InputError("a.log", 7, "broken"), 2, "memoracle: a.log:7: broken\n"),
        (InputError("-", None, "broken"), 2, "memoracle: <stdin>: broken\n"),
        (ZeroDivisionError("of a\nmap"), 2, "memoracle: internal error: ZeroDivisionError: of a\\nmap\n"),
        (
            MemoryError(),
            2,
            "memoracle: it needs more memory than there is: a geometry of fewer frames or pages needs less\n",
        ),
        (KeyboardInterrupt(), 130, "memoracle: interrupted\n"),
    ],
)
def test_what_goes_wrong_is_one_line_and_a_status(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    fault: BaseException,
    status: int,
    message: str,
) -> None:
    fail_with(monkeypatch, fault)
    assert cli.main(["boot", QEMU]) == status
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", message)


@pytest.mark.parametrize("program", [PROGRAM, [str(Path(sys.executable).with_name("memoracle"))]])
def test_status_reaches_the_shell(program: list[str]) -> None:
    for arguments, status in (([QEMU], 0), ([os.devnull], 4), (["none.log"], 2), ([], 2)):
        done = subprocess.run([*program, "boot", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == status
        assert "Traceback" not in done.stderr


def test_reader_that_has_gone_is_no_reason_for_a_message() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*PROGRAM, "boot", QEMU], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_full_disk_is_told() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*PROGRAM, "boot", QEMU], stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (2, b"memoracle: cannot write: No space left on device\n")


def test_worst_status_wins() -> None:
    assert worst([]) is Status.NOTHING
    assert worst([Status.HOLDS, Status.NOTHING]) is Status.NOTHING
    assert worst([Status.NOTHING, Status.UNKNOWN, Status.HOLDS]) is Status.UNKNOWN
    assert worst([Status.UNKNOWN, Status.BROKEN]) is Status.BROKEN
    assert worst([Status.BROKEN, Status.UNUSABLE, Status.HOLDS]) is Status.UNUSABLE
