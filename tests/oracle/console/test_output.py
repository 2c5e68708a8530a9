"""A report goes where it is meant to, is whole or not there, and never takes the place of what it was made from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from memoracle.cli import main

ROOT = Path(__file__).parents[3]
QEMU = ROOT / "tests" / "data" / "e820" / "qemu-4g.txt"
TRACE = '{"memoracle": 1}\n{"op": "frame.free_count", "result": 2046}\n'
GEOMETRY = "frames = 64\n"


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Path]:
    texts = {"trace": TRACE, "log": QEMU.read_text(encoding="utf-8"), "geometry": GEOMETRY}
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return {name: tmp_path / name for name in texts}


def names_of(path: Path) -> dict[str, Path]:
    """Every way to name a file."""
    (path.parent / "soft").symlink_to(path)
    (path.parent / "softer").symlink_to(path.parent / "soft")
    (path.parent / "hard").hardlink_to(path)
    (path.parent / "folder").symlink_to(path.parent)
    return {
        "itself": path,
        "a link": path.parent / "soft",
        "a link to a link": path.parent / "softer",
        "a hard link": path.parent / "hard",
        "through a folder's link": path.parent / "folder" / path.name,
        "a path with dots": Path(f"{path.parent}/./{path.name}"),
    }


@pytest.mark.parametrize(
    ("arguments", "victim"),
    [
        (["check", "{trace}"], "trace"),
        (["check", "{trace}", "--memory-map", "{log}"], "log"),
        (["check", "{trace}", "--geometry", "{geometry}"], "geometry"),
        (["check", "{log}", "{trace}"], "log"),
        (["check", "{log}", "{trace}"], "trace"),
        (["boot", "{log}"], "log"),
        (["boot", "{log}", "--geometry", "{geometry}"], "geometry"),
        (["explain", "pat", "--geometry", "{geometry}"], "geometry"),
        (["prove", "pat", "--geometry", "{geometry}"], "geometry"),
    ],
)
def test_an_input_is_never_overwritten(
    inputs: dict[str, Path], capsys: pytest.CaptureFixture[str], arguments: list[str], victim: str
) -> None:
    before = inputs[victim].read_bytes()
    for way, name in names_of(inputs[victim]).items():
        filled = [each.format(**inputs) for each in arguments]
        assert main([*filled, "--output", str(name)]) == 2, way
        assert inputs[victim].read_bytes() == before, way
        captured = capsys.readouterr()
        assert captured.out == ""
        assert "the report would overwrite the input" in captured.err


def test_standard_streams_may_be_the_input_too(inputs: dict[str, Path]) -> None:
    program = [sys.executable, "-m", "memoracle", "check"]
    trace = inputs["trace"]
    with trace.open("rb") as reading:
        done = subprocess.run([*program, "-", "--output", str(trace)], stdin=reading, capture_output=True, check=False)
    assert (done.returncode, trace.read_text()) == (2, TRACE)
    with trace.open("ab") as appending:
        done = subprocess.run([*program, str(trace)], stdout=appending, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, trace.read_text()) == (2, TRACE)


@pytest.mark.parametrize("command", ["check", "boot", "explain"])
def test_a_report_replaces_the_last_one_and_leaves_nothing_else(
    inputs: dict[str, Path], tmp_path: Path, command: str
) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    argument = {"check": str(inputs["trace"]), "boot": str(inputs["log"]), "explain": "pat"}[command]
    (folder / "report").write_text("old " * 10_000)
    (folder / "report").chmod(0o604)
    (folder / "link").symlink_to("report")
    for name in ("new", "report", "link"):
        assert main([command, argument, "--format", "json", "--output", str(folder / name)]) == 0
        assert json.loads((folder / name).read_text())["command"] == command
    assert sorted(each.name for each in folder.iterdir()) == ["link", "new", "report"]
    assert (folder / "link").is_symlink()
    assert (folder / "report").stat().st_mode & 0o777 == 0o604
    mask = os.umask(0)
    os.umask(mask)
    assert (folder / "new").stat().st_mode & 0o777 == 0o666 & ~mask


def test_the_last_report_stands_where_there_is_no_new_one(inputs: dict[str, Path], tmp_path: Path) -> None:
    report = tmp_path / "report"
    report.write_text("old")
    assert main(["boot", str(tmp_path / "none"), "--output", str(report)]) == 2
    assert main(["check", str(inputs["trace"]), "--geometry", "z80", "--output", str(report)]) == 2
    assert report.read_text() == "old"


@pytest.mark.parametrize("output", [".", "none/report", "trace/report", "circle"])
def test_where_nothing_can_be_written(
    inputs: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    output: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("circle").symlink_to("circle")
    assert main(["check", "trace", "--output", output]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "cannot write" in captured.err
    assert "internal error" not in captured.err


def test_what_is_no_file_is_written_to(inputs: dict[str, Path], tmp_path: Path) -> None:
    assert main(["check", str(inputs["trace"]), "--output", os.devnull]) == 0
    assert Path(os.devnull).is_char_device()
    os.mkfifo(tmp_path / "pipe")
    program = [sys.executable, "-m", "memoracle", "check", str(inputs["trace"]), "--output", str(tmp_path / "pipe")]
    with subprocess.Popen(program) as running:
        text = (tmp_path / "pipe").read_text()
    assert running.returncode == 0
    assert "conforms" in text
    assert (tmp_path / "pipe").is_fifo()
