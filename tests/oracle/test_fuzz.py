"""Whatever is read, every command ends with one of its statuses, and nothing in it is an internal error.

`make fuzz` tries a million inputs of the same kinds.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from fuzzing import __main__ as long_run
from fuzzing import emitted, guard, reports
from fuzzing.properties import Property, properties
from fuzzing.readers import Case
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HERE = Path(__file__).parent
FUZZ = settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@FUZZ
@given(random=st.randoms(use_true_random=False))
@pytest.mark.parametrize("reader", properties(HERE))
def test_each_reader(tmp_path: Path, reader: str, random: Random) -> None:
    make, hold = properties(tmp_path)[reader]
    hold(make(random))


def test_many_inputs_within_bounds_of_memory() -> None:
    command = [sys.executable, "-m", "fuzzing", "--inputs", "250", "--jobs", "1"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert " 0 readers failed" in done.stdout


def test_what_fails_is_made_small_and_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def hold(case: Case) -> None:
        assert b"bad" not in case.files["input"], "it is bad"

    def make(random: Random) -> Case:
        return Case(("check", "--quiet", "@input"), {"input": random.randbytes(50) + b"bad" + random.randbytes(50)})

    monkeypatch.setattr(long_run, "FAILED", tmp_path)
    run = long_run.Run(Namespace(inputs=1, jobs=1, seed=7, only="any bytes", first=3), 0, tmp_path)
    run.chosen = {"any": Property(make, hold)}
    assert run.tried() == 1
    assert capsys.readouterr().err.startswith("7 any 3: AssertionError: it is bad")
    assert (tmp_path / "7-any-3.txt").read_text() == repr(Case(("check",), {"input": b"bad"})) + "\n"


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("junit", "<testsuites><testsuite>"),
        ("sarif", '{"version": "2.1.0", "runs": []}'),
        ("github", "::error title=x::seen\n::stop-commands::x\n"),
        ("github", "a line\n  ::add-mask::x\n"),
        ("itf", '{"vars": ["a"], "states": [{"b": 1}]}'),
        ("json", '{"memoracle": 1, "verdict": "conforms"'),
        ("html", "<b onclick='x'></b>"),
        ("html", "<script>x</script>"),
        ("html", "<a href='javascript:x'></a>"),
        ("html", "<p><b></p>"),
        ("summary", "<a>x</a>"),
    ],
)
def test_a_report_that_obeys_is_found(form: str, text: str) -> None:
    with pytest.raises((AssertionError, ValueError, SyntaxError)):
        reports.hold(form, text)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("c", "/* a */ zqx(); /* b */"),
        ("c", "// a \\\n b\nzqx();"),
        ("rust", 'let a = "\\\\"; zqx();'),
        ("pytest", "a = 1\nzqx()\n"),
        ("program", "# \u00e9"),
    ],
)
def test_what_becomes_a_part_of_a_test_is_found(form: str, text: str) -> None:
    emitted.hold_text("c", '/* zqx */ "zqx \\" zqx" // zqx \\\n zqx')
    with pytest.raises(AssertionError):
        emitted.hold_text(form, text)


@pytest.mark.parametrize("text", ["\x1b[2J", "\u202e", "a\r", "\x9b", "\ud800", "x\n::error::x", "x ##vso[task]"])
def test_what_a_terminal_or_a_runner_obeys_is_found(text: str) -> None:
    for out, errors in ((text, ""), ("", text)):
        with pytest.raises(AssertionError):
            reports.hold_streams(out, errors, "text")


@pytest.mark.parametrize("does", ["open('/etc/passwd')", "exec('1')", "__import__('subprocess').run(['true'])"])
def test_what_is_opened_or_run_is_found(does: str) -> None:
    code = compile(does, "does", "eval")
    with pytest.raises(guard.BrokenPromiseError), guard.watched():
        eval(code)


@pytest.mark.parametrize(
    ("status", "out", "errors"),
    [
        (5, "", ""),
        (130, "", ""),
        (-9, "", ""),
        (2, "", "memoracle: internal error: KeyError: 1"),
        (2, "", "Traceback (most recent call last):"),
        (0, "\x1b[2J", ""),
        (0, "", "\u202e"),
        (0, "{", ""),
    ],
)
def test_what_no_command_may_end_with_is_found(
    monkeypatch: pytest.MonkeyPatch, status: int, out: str, errors: str
) -> None:
    def ends(_: object) -> int:
        sys.stdout.write(out)
        sys.stderr.write(errors)
        return status

    monkeypatch.setattr(guard.cli, "main", ends)
    with pytest.raises((AssertionError, ValueError)):
        guard.told(["check", "--format=json" if out == "{" else "--format=text"])


def test_what_is_written_and_cannot_be_read_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def writes(arguments: Sequence[str]) -> int:
        Path(arguments[1].partition("=")[2]).write_text("<testsuites>", encoding="utf-8")
        return 0

    monkeypatch.setattr(guard.cli, "main", writes)
    with pytest.raises(SyntaxError):
        guard.run(tmp_path, Case(("check", "--output=@junit"), {}))


def test_what_has_no_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(_: object) -> int:
        for _ in range(100_000_000):
            pass
        return 0

    monkeypatch.setattr(guard, "SECONDS", 0.01)
    monkeypatch.setattr(guard.cli, "main", late)
    with pytest.raises(guard.BrokenPromiseError, match="no end within"):
        guard.told(["check"])


@pytest.mark.parametrize(
    ("does", "status"), [("fine", 0), ("fails", 1), ("takes too much memory", 1), ("is killed", signal.SIGKILL)]
)
def test_a_run_ends_with_what_was_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str], does: str, status: int
) -> None:
    def hold(_: object) -> None:
        match does:
            case "fails":
                raise BaseException("no")
            case "takes too much memory":
                bytearray(long_run.MEMORY)
            case "is killed":
                os.kill(os.getpid(), signal.SIGKILL)

    # What is forked has all that this process has gathered in other tests, and is to have as much besides.
    [(_, has, _)] = [line.split() for line in Path("/proc/self/status").read_text().splitlines() if "VmData:" in line]
    monkeypatch.setattr(long_run, "MEMORY", long_run.MEMORY + int(has) * 1024)
    monkeypatch.setattr(long_run, "FAILED", tmp_path / "failed")
    monkeypatch.setattr(long_run, "properties", lambda folder: {"any": Property(lambda random: 1, hold)})
    monkeypatch.setattr(sys, "argv", ["fuzzing", "--inputs", "1", "--jobs", "1"])
    assert long_run.main() == status
    assert ("0 any 0: " in capfd.readouterr().err) == (status == 1)


def run(folder: Path, text: bytes, *arguments: str, **files: bytes) -> int:
    return guard.run(folder, Case((*arguments, "@input"), {"input": text, **files}))


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
@pytest.mark.parametrize("depth", [10, 100, 900, 1100, 20_000])
def test_deep_nesting(tmp_path: Path, opening: str, depth: int) -> None:
    closing = opening.translate(str.maketrans("[{", "]}", '"a:'))[::-1]
    value = opening * depth + "1" + closing * depth
    for line in (
        f'{{"op": "frame.free_count", "result": 3, "_x": {value}}}',
        f'{{"op": "boot", "memory_map": {value}}}',
        f'{{"op": "frame.fly", "x": {value}, "y": 1, "y": 2}}',
    ):
        for options in ((), ("--format=json", "--ignore-unknown", "--keep-going")):
            assert run(tmp_path, f'{{"memoracle": 1}}\n{line}\n'.encode(), "check", *options) in (1, 2)
    run(tmp_path, f'{{"memoracle": 1, "geometry": {value}}}\n'.encode(), "check")
    deep = b"frames = " + b"[" * depth + b"]" * depth
    run(tmp_path, b'{"memoracle": 1}\n', "check", "--geometry", "@geometry", geometry=deep)
