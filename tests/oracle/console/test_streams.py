"""Standard streams that are closed, full or no longer read change no verdict, and are no internal error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = f"{sys.executable} -m memoracle"
HEADER = '{"memoracle": 1}\n'
TRACES = {
    "good": (HEADER + '{"op": "frame.free_count", "result": 2046}\n', 0),
    "bad": (HEADER + '{"op": "frame.free_count", "result": 3}\n', 1),
    "broken": (HEADER + "{", 2),
    "empty": ("", 4),
}


def shell(folder: Path, line: str) -> tuple[int, str, str]:
    done = subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, text=True, check=False)
    assert "internal error" not in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, (text, _) in TRACES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("streams", ["2>&-", "<&-", ">&-", "<&- >&- 2>&-", "2>/dev/full", "--format json >&- 2>&-"])
@pytest.mark.parametrize("name", TRACES)
def test_the_verdict_is_the_same(folder: Path, name: str, streams: str) -> None:
    status, out, _ = shell(folder, f"{PROGRAM} check {name} {streams}")
    assert status == TRACES[name][1]
    assert (out == "") == (">&-" in streams.replace("2>&-", ""))


@pytest.mark.parametrize("arguments", ["boot none", "check --frobnicate good", "--help", "explain none"])
@pytest.mark.parametrize("streams", ["2>&-", ">&- 2>&-", "2>/dev/full"])
def test_what_cannot_be_said_is_dropped(folder: Path, arguments: str, streams: str) -> None:
    assert shell(folder, f"{PROGRAM} {arguments} {streams}")[0] == (0 if arguments == "--help" else 2)


def test_a_closed_stream_takes_no_file(folder: Path) -> None:
    """What is opened first would get the number of a closed stream, and then what that stream is written."""
    status, _, _ = shell(folder, f"{PROGRAM} check bad broken --output report <&- >&- 2>&-")
    assert (status, (folder / "bad").read_text()) == (2, TRACES["bad"][0])
    assert (folder / "report").read_text().startswith("bad:2: frame.free_count")


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_closed_standard_input_cannot_be_read(folder: Path, name: str) -> None:
    status, _, errors = shell(folder, f"{PROGRAM} check {name} <&-")
    assert status in (2, 4)
    assert name != "-" or (status, errors) == (2, "memoracle: <stdin>: cannot read: standard input is closed\n")


@pytest.mark.parametrize("unbuffered", ["", "PYTHONUNBUFFERED=1 "])
@pytest.mark.parametrize("arguments", ["--help", "check good", "check bad", "boot good --format json", "explain pat"])
def test_full_standard_output_is_an_error(folder: Path, arguments: str, unbuffered: str) -> None:
    status, _, errors = shell(folder, f"{unbuffered}{PROGRAM} {arguments} >/dev/full")
    assert (status, errors) == (2, "memoracle: cannot write: No space left on device\n")


@pytest.mark.parametrize("options", ["", "--format json"])
@pytest.mark.parametrize(("name", "status"), [("bad", 1), ("good", 0)])
def test_a_reader_that_stops_reading_leaves_the_verdict(folder: Path, name: str, status: int, options: str) -> None:
    event = TRACES[name][0].splitlines()[1]
    (folder / "long").write_text(HEADER + f"{event}\n" * 5000)
    line = f"{PROGRAM} check --keep-going long {options} | head -1 | cut -c 1-20; exit ${{PIPESTATUS[0]}}"
    found, out, errors = shell(folder, line)
    assert (found, errors) == (status, "")
    assert out
    assert shell(folder, f"{PROGRAM} check {name} | true; exit ${{PIPESTATUS[0]}}")[0] == status


def test_a_terminal_without_the_characters_of_a_report(folder: Path) -> None:
    (folder / "bäd").write_text(TRACES["bad"][0])
    status, out, _ = shell(folder, f"LC_ALL=C PYTHONIOENCODING=ascii {PROGRAM} check bäd")
    assert status == 1
    assert out.startswith("b\\xe4d:2: ")
