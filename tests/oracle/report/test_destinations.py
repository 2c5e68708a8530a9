"""Several reports of one run: each goes to its place, and none over another or over what it was made from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from memoracle.cli import main

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
        (["--report=html=a", "--output=./a/index.html"], "--report: 'a': the report of --output goes there"),
        (["--report=html=a", "--report=json=a"], "--report: 'a': another report goes there"),
        (["--format=html", "--emit=trace"], "the html report goes to standard output: --emit-output FILE"),
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


def test_a_folder_is_made_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    for _ in range(2):
        assert main(["check", str(DIVERGING), "--quiet", "--report", f"html={folder}"]) == 1
        (page,) = folder.iterdir()
        assert (page.name, page.read_text(encoding="utf-8").startswith("<!doctype html>")) == ("index.html", True)
        page.write_text("old", encoding="utf-8")


@pytest.mark.parametrize("where", ["trace.jsonl", "nowhere/made"])
def test_a_folder_is_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trace.jsonl").write_bytes(DIVERGING.read_bytes())
    assert main(["check", "trace.jsonl", "--report", f"html={where}"]) == 2
    assert [each.name for each in tmp_path.iterdir()] == ["trace.jsonl"]


def test_no_page_goes_over_an_input(tmp_path: Path) -> None:
    trace = tmp_path / "index.html"
    trace.write_bytes(DIVERGING.read_bytes())
    assert main(["check", str(trace), "--report", f"html={tmp_path}"]) == 2
    assert trace.read_bytes() == DIVERGING.read_bytes()


def test_a_page_on_standard_output_or_in_a_file_is_the_one_of_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is ASCII, however standard output codes a text."""
    page, there = tmp_path / "page.html", tmp_path / "made"
    check = ["check", str(DIVERGING), "--quiet"]
    assert main([*check, "--format", "html", "--report", f"html={there}"]) == 1
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert printed.endswith("</html>\n")
    assert main([*check, "--report", "html=-"]) == 1
    assert capsys.readouterr().out == printed
    assert main([*check, "--format", "html", "--output", str(page)]) == 1
    assert capsys.readouterr().out == ""
    assert {page.read_text(), (there / "index.html").read_text(), printed} == {printed}


@pytest.mark.parametrize("options", [["--format=html"], ["--report=html=-"]])
def test_a_terminal_is_no_browser(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, options: list[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["check", str(DIVERGING), *options]) == 2
    words = f"{options[0].partition('=')[0]}: html is a page for a browser, and no terminal: --output FILE.html"
    assert words in capsys.readouterr().err
    assert main(["check", str(DIVERGING), "--quiet", "--format=html", f"--output={tmp_path / 'page.html'}"]) == 1
