"""Several reports of one run: each goes to its place, and none over another or over what it was made from."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from memoracle.cli import main
from memoracle.report import formats

ROOT = Path(__file__).parents[3]
DIVERGING = ROOT / "examples" / "diverging.jsonl"


def test_reports_go_each_to_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = [f"text={tmp_path / 'report.txt'}", f"json={tmp_path / 'report.json'}"]
    assert main(["check", str(DIVERGING), "--format", "json", *(f"--report={each}" for each in places)]) == 1
    assert (tmp_path / "report.json").read_text(encoding="utf-8") == capsys.readouterr().out
    assert "all of the block is free" in (tmp_path / "report.txt").read_text(encoding="utf-8")


def test_a_text_gives_way_to_what_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(DIVERGING), "--report", "json=-"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["verdict"] == "diverges"
    assert "all of the block is free" in captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--report=json=-", "--report=text=-"], "--report: two reports would go to standard output"),
        (
            ["--report=github=a", "--format=github"],
            "--report: github is asked for twice, which would add to the step's summary twice",
        ),
        (["--report=json=-", "--format=json"], "--report: the json report goes to standard output: --output FILE"),
        (
            ["--report=json=-", "--emit=trace"],
            "--report: the test goes to standard output: --emit-output FILE",
        ),
        (
            ["--report=json=a", "--emit=trace", "--emit-output=b", "--report=json=./b"],
            "'./b': the test of --emit-output goes there",
        ),
        (["--report=json=a", "--report=text=./a"], "--report: './a': another report goes there"),
        (["--report=json=a", "--output=./a"], "--report: 'a': the report of --output goes there"),
        (["--report=json=trace.jsonl"], "trace.jsonl: the report would overwrite the input trace.jsonl"),
        (["--report=json=nowhere/a"], "nowhere/a: cannot write: there is no directory"),
        (["--report=json=."], ".: cannot write: Is a directory"),
        (["--report=nothing=a"], "FORMAT=FILE was expected, with one of text, json"),
        (["--report=json="], "FORMAT=FILE was expected, with one of text, json"),
        (["--report=json"], "FORMAT=FILE was expected, with one of text, json"),
    ],
)
def test_what_does_not_go_together_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trace.jsonl").write_bytes(DIVERGING.read_bytes())
    assert main(["check", "trace.jsonl", *arguments]) == 2
    captured = capsys.readouterr()
    assert (captured.out, message in captured.err) == ("", True)
    assert [each.name for each in tmp_path.iterdir()] == ["trace.jsonl"]


def test_what_cannot_be_written_costs_no_other_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    others = [f"--report=junit={tmp_path / 'junit'}", f"--report=text={tmp_path / 'text'}"]
    for arguments in (["--report", "json=/dev/full"], ["--output", "/dev/full"]):
        assert main(["check", str(DIVERGING), *arguments, *others]) == 2
        assert "/dev/full: cannot write: " in capsys.readouterr().err
        assert {each.name for each in tmp_path.iterdir()} == {"junit", "text"}
        for each in tmp_path.iterdir():
            each.unlink()


@pytest.fixture
def pages_format(monkeypatch: pytest.MonkeyPatch) -> str:
    """A format whose report is a folder."""
    module = ModuleType("memoracle.report.of_this_test")
    module.pages = lambda run: {"index.html": run.command, "more.txt": "more"}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(formats.FOLDERS, "pages", module.__name__)
    monkeypatch.setattr("memoracle.report.destinations.FORMATS", (*formats.FORMATS, "pages"))
    return "pages"


def test_a_folder_is_made_and_kept(tmp_path: Path, pages_format: str) -> None:
    folder = tmp_path / "made"
    for _ in range(2):
        assert main(["check", str(DIVERGING), "--quiet", "--report", f"{pages_format}={folder}"]) == 1
        assert {each.name: each.read_text(encoding="utf-8") for each in folder.iterdir()} == {
            "index.html": "check",
            "more.txt": "more",
        }
        (folder / "index.html").write_text("old", encoding="utf-8")


@pytest.mark.parametrize("where", ["-", "trace.jsonl", "nowhere/made"])
def test_a_folder_is_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pages_format: str, where: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trace.jsonl").write_bytes(DIVERGING.read_bytes())
    assert main(["check", "trace.jsonl", "--report", f"{pages_format}={where}"]) == 2
    assert [each.name for each in tmp_path.iterdir()] == ["trace.jsonl"]


def test_no_page_goes_over_an_input(tmp_path: Path, pages_format: str) -> None:
    trace = tmp_path / "index.html"
    trace.write_bytes(DIVERGING.read_bytes())
    assert main(["check", str(trace), "--report", f"{pages_format}={tmp_path}"]) == 2
    assert trace.read_bytes() == DIVERGING.read_bytes()
