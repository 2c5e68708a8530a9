"""Several workers that check many files say what one says."""

from __future__ import annotations

import io
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import check_command
import pytest

import memoracle
from memoracle import cli
from memoracle.cli import main
from memoracle.commands import check_spread
from memoracle.commands.check_inputs import Check
from memoracle.commands.check_spread import UNIT_BYTES, UNIT_FILES, grouped
from memoracle.scaling.workers import Lost

ROOT = Path(__file__).parents[3]
EXAMPLES = [str(each) for each in sorted((ROOT / "examples").glob("*.jsonl"))]
E820 = "BIOS-e820: [mem 0x0000000000000000-0x000000007fffffff] usable\n"


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Files of every kind, some of which cannot be read."""
    texts = {
        "conforming.jsonl": check_command.CONFORMING,
        "diverging.jsonl": check_command.DIVERGING,
        "broken.jsonl": check_command.BROKEN,
        "empty.jsonl": "",
        "map.log": E820,
        "kmem.txt": (ROOT / "examples" / "boot-kmem.txt").read_text(),
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return [*EXAMPLES, *(str(tmp_path / name) for name in texts), str(tmp_path / "missing.jsonl")]


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(["check", *arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize(
    "options",
    [[], ["--format", "json", "--keep-going"], ["--geometry", "x64-4k", "--level", "safe"], ["--split", "--quiet"]],
)
def test_several_processes_say_what_one_says(
    capsys: pytest.CaptureFixture[str], files: list[str], options: list[str]
) -> None:
    alone = said(capsys, *options, *files)
    assert said(capsys, *options, "--jobs", "2", *files) == alone
    assert alone[0] == 2


def test_a_memory_map_is_read_once_for_all(
    capsys: pytest.CaptureFixture[str], files: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "map.log"
    alone = said(capsys, "--memory-map", str(path), *files)
    assert said(capsys, "--memory-map", str(path), "--jobs", "2", *files) == alone


def test_standard_input_is_read_here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    both = []
    for options in ([], ["--jobs", "2"]):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(check_command.DIVERGING.encode())))
        both.append(said(capsys, *options, EXAMPLES[0], "-", EXAMPLES[1]))
    assert both[0] == both[1]
    assert "<stdin>: diverges" in both[0][1]


def test_what_is_followed_is_for_one_process(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, errors = said(capsys, "--follow", "--jobs", "2", EXAMPLES[0])
    assert status == 2
    assert "--follow: what is followed is read by one process: --jobs is not for it" in errors


def test_small_files_go_together() -> None:
    assert grouped([], 2) == []
    assert [len(each) for each in grouped(["missing"] * (UNIT_FILES + 1), 2)] == [UNIT_FILES, 1]
    assert grouped(["missing", "-", "missing"], 2) == [["missing"], ["-"], ["missing"]]
    shares = grouped(EXAMPLES * 10, 2)
    assert [path for each in shares for path in each] == EXAMPLES * 10
    assert 8 <= len(shares) <= 16


def test_a_pipe_goes_alone(tmp_path: Path) -> None:
    (tmp_path / "small").write_text("x")
    assert check_spread.size_of(str(tmp_path / "small")) == 1
    assert check_spread.size_of("/dev/null") == UNIT_BYTES


def test_files_that_are_lost_are_no_success(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_spread, "checked_files", fails)
    status, out, errors = said(capsys, "--jobs", "2", "--quiet", EXAMPLES[1], EXAMPLES[0])
    assert status == 2
    assert errors == "".join(f"memoracle: {each}: it was not checked: RuntimeError: no\n" for each in EXAMPLES[1::-1])
    assert out.count("unknown: 0 events") == 2


def test_each_file_of_a_unit_that_is_lost_is_told() -> None:
    check = Check(cli.parser(["check"]).parse_args(["check", "a", "b"]))
    (first,), (second,) = (each.outcomes for each in check_spread.lost(check, ["a", "b"], Lost("it died")))
    assert [str(each.fault) for each in (first, second)] == [f"{each}: it was not checked: it died" for each in "ab"]


def fails(unit: object) -> object:
    raise RuntimeError("no")


def test_a_library_checks_many_files_and_with_any_executor(files: list[str]) -> None:
    one_by_one = [memoracle.check(path) for path in files]
    assert memoracle.check_files(files, jobs=2) == one_by_one
    with ThreadPoolExecutor(2) as executor:
        assert memoracle.check_files(files[:3], executor=executor, jobs=1) == one_by_one[:3]
    assert memoracle.check_files([]) == []
    with pytest.raises(ValueError, match="level"):
        memoracle.check_files(files, level="any")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "interrupted", ["commands.check_parts.in_parts", "commands.check_spread.grouped", "scaling.workers.Workers.done"]
)
def test_an_interrupt_is_reported_and_no_library_keeps_it_to_itself(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, interrupted: str
) -> None:
    monkeypatch.setattr(f"memoracle.{interrupted}", interrupt)
    report = tmp_path / "report.xml"
    files = EXAMPLES[:1] if interrupted.endswith("in_parts") else EXAMPLES[:2]
    status, _, errors = said(capsys, "--jobs", "2", "--quiet", "--report", f"junit={report}", *files)
    assert (status, errors) == (130, "memoracle: interrupted\n")
    assert 'errors="1"' in (text := report.read_text())
    assert "interrupted" in text
    with pytest.raises(KeyboardInterrupt):
        memoracle.check_files(files, jobs=2)


def interrupt(*_: object) -> object:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tcp://127.0.0.1:8786", "'tcp://127.0.0.1:8786' is no executor: dask:tcp://HOST:PORT is"),
        ("ray:tcp://127.0.0.1:8786", "is no executor"),
        ("dask:127.0.0.1", "is no executor"),
        ("dask:tcp://127.0.0.1", "is no executor"),
    ],
)
@pytest.mark.parametrize("command", [["check"], ["drive"], ["prove"]])
def test_what_names_no_executor_is_refused(
    capsys: pytest.CaptureFixture[str], command: list[str], name: str, words: str
) -> None:
    targets = {"check": EXAMPLES[0], "drive": "true", "prove": "pat"}
    assert main([*command, targets[command[0]], "--executor", name]) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.out == ""


def test_an_executor_that_is_not_installed_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memoracle.scaling.clusters.find_spec", lambda name: None)
    status, out, errors = said(capsys, "--executor", "dask:tcp://127.0.0.1:8786", EXAMPLES[0])
    assert (status, out) == (2, "")
    assert errors == "memoracle: --executor dask: needs the extra `dask`: pip install 'memoracle[dask]'\n"


def test_one_executor_is_enough(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, errors = said(capsys, "--jobs", "2", "--executor", "dask:tcp://127.0.0.1:8786", EXAMPLES[0])
    assert status == 2
    assert "--jobs: the scheduler decides how many units its workers do at once" in errors


def test_a_machine_format_has_all_results_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = said(capsys, "--jobs", "2", "--format", "json", *EXAMPLES)
    assert [each["file"] for each in json.loads(out)["results"]] == EXAMPLES
