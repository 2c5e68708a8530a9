"""JUnit XML, SARIF and GitHub's commands: of every command each keeps to its schema, and obeys nothing of a trace."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from ci_reports import ROOT, Reports, valid

from memoracle.cli import main
from memoracle.explain.index import Index
from memoracle.report.ci import files, github, of_check, sarif

HEADER = '{"memoracle": 1}\n'
TWICE = HEADER + '{"op": "frame.allocate", "result": "0x400000"}\n' * 2
CONFORMING = HEADER + '{"op": "frame.free_count", "result": 2046}\n'
HOSTILE_TEXT = "\x1b[31m\x00\u202e</pre><script>\n::error::x\n##[error]%0A%,: [a](http://b) ]]>"
HOSTILE = HEADER + json.dumps({"op": "frame.allocate", "error": HOSTILE_TEXT, "_at": HOSTILE_TEXT}) + "\n"
HOSTILE_NAME = "a b%0A::error file=x,line=1::\x1b#](x)<b>.jsonl"


@pytest.fixture
def reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Reports]:
    """Runs a command in a folder of its own, with all reports."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(github.SUMMARY, str(tmp_path / "summary.md"))
    for name in files.CHECKOUTS:
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> Reports:
        status = main([*arguments, "--format", "json", *(f"--report={each}={each}.out" for each in FORMS)])
        texts = {each: Path(f"{each}.out").read_text(encoding="utf-8") for each in FORMS}
        out = capsys.readouterr().out
        summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
        return valid(status, texts, json.loads(out) if out else {}, summary)

    return run


FORMS = ("junit", "sarif", "github")


def test_each_trace_is_a_test(reported: Callable[..., Reports]) -> None:
    Path("good.jsonl").write_text(CONFORMING, encoding="utf-8")
    Path("bad.jsonl").write_text(TWICE, encoding="utf-8")
    Path("broken.jsonl").write_text(CONFORMING + "{\n", encoding="utf-8")
    Path("empty.jsonl").write_text("", encoding="utf-8")
    found = reported("check", "good.jsonl", "bad.jsonl", "broken.jsonl", "empty.jsonl")
    assert found.status == 2
    cases = {each.attrib["name"]: [part.tag for part in each] for each in found.suites.iter("testcase")}
    assert cases == {
        "good.jsonl": ["system-out"],
        "bad.jsonl": ["failure", "system-out"],
        "broken.jsonl": ["error", "system-out"],
        "empty.jsonl": ["error", "system-out"],
    }
    places = [each["locations"][0]["physicalLocation"] for each in found.results]
    assert [(each["artifactLocation"]["uri"], each["region"]["startLine"]) for each in places] == [
        ("bad.jsonl", 3),
        ("broken.jsonl", 3),
        ("empty.jsonl", 1),
    ]
    assert [each.split(",title")[0] for each in found.commands] == [
        "::error file=bad.jsonl,line=3",
        "::error file=broken.jsonl,line=3",
        "::error file=empty.jsonl,line=1",
    ]
    assert found.sarif["runs"][0]["invocations"][0]["executionSuccessful"] is False
    assert found.summary.count("❌") == 3
    assert found.summary.count("✅") == 1
    assert [(each["file"], each["verdict"], each["status"]) for each in found.document["results"]] == [
        ("good.jsonl", "conforms", 0),
        ("bad.jsonl", "diverges", 1),
        ("broken.jsonl", "unknown", 2),
        ("empty.jsonl", "nothing", 4),
    ]
    unreadable = {"file": "broken.jsonl", "line": 3, "message": found.document["unreadable"][0]["message"]}
    assert found.document["unreadable"] == [unreadable]
    assert [each["unreadable"] for each in found.document["results"]] == [None, None, unreadable, None]


def test_a_rule_is_the_clauses_own_sentence(reported: Callable[..., Reports]) -> None:
    Path("bad.jsonl").write_text(TWICE, encoding="utf-8")
    found = reported("check", "bad.jsonl")
    law = Index().law["bitmap.allocates-only-free"]
    (rule,) = found.sarif["runs"][0]["tool"]["driver"]["rules"]
    assert rule["id"] == law.name
    assert rule["shortDescription"]["text"].lower() == f"{law.says}."
    assert found.document["divergences"][0]["says"] == law.says
    assert f"title={law.says} [{law.name}]::" in found.commands[0]
    assert rule["help"]["text"] == f"`memoracle explain {law.name}` says more of it."


@pytest.mark.parametrize("text", [HOSTILE, TWICE.replace("}", ', "_at": "\\u001b::error::"}')])
def test_what_a_trace_says_is_not_obeyed(reported: Callable[..., Reports], text: str) -> None:
    Path(HOSTILE_NAME).write_text(text, encoding="utf-8")
    found = reported("check", HOSTILE_NAME)
    assert found.status == 1
    (command,) = found.commands
    assert re.fullmatch(r"::error file=[^:,]*,line=\d+,title=[^:,]*::.*", command)
    assert not re.search(r"%(?!25|0A|3A|2C)", command)
    assert all(line.isprintable() and "##[" not in line for line in found.github)
    where = found.results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert re.fullmatch("[A-Za-z0-9._%-]+", where)
    assert unquote(where) == HOSTILE_NAME
    assert "](" not in found.results[0]["message"]["text"]
    assert "<script" not in found.summary
    assert "<b>" not in found.summary
    assert found.summary.count("</pre>") == found.summary.count("<pre>") == 1


def test_a_file_of_another_folder_has_its_whole_path(reported: Callable[..., Reports], tmp_path: Path) -> None:
    """An annotation can only be of a file of the checkout."""
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (outside / "bad trace.jsonl").write_text(TWICE, encoding="utf-8")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "bad.jsonl").write_text(TWICE, encoding="utf-8")
    found = reported("check", str(outside / "bad trace.jsonl"), str(inside / "bad.jsonl"))
    locations = [each["locations"][0]["physicalLocation"]["artifactLocation"] for each in found.results]
    assert locations == [
        {"uri": (outside / "bad trace.jsonl").as_uri()},
        {"uri": "inside/bad.jsonl", "uriBaseId": "%SRCROOT%"},
    ]
    assert [each.startswith("::error title=") for each in found.commands] == [True, False]
    assert str(outside) in found.commands[0]


@pytest.mark.parametrize("variable", ["GITHUB_WORKSPACE", "CI_PROJECT_DIR"])
def test_paths_are_from_the_checkout(
    reported: Callable[..., Reports], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    """A step may have a working directory of its own."""
    Path("kernel").mkdir()
    monkeypatch.chdir("kernel")
    Path("bad.jsonl").write_text(TWICE, encoding="utf-8")
    for checkout, path in ((tmp_path, "kernel/bad.jsonl"), (tmp_path / "elsewhere", "bad.jsonl")):
        monkeypatch.setenv(variable, str(checkout))
        found = reported("check", "bad.jsonl")
        assert found.commands[0].startswith(f"::error file={path},line=3,")
        assert found.results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == path


def test_standard_input_is_no_file(reported: Callable[..., Reports], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bad.jsonl").write_text(TWICE, encoding="utf-8")
    with Path("bad.jsonl").open(encoding="utf-8") as text:
        monkeypatch.setattr("sys.stdin", text)
        found = reported("check", "-")
    assert [*found.results[0]["locations"][0]] == ["logicalLocations"]
    assert "::<stdin>:3: " in found.commands[0]
    assert found.sarif["runs"][0]["artifacts"] == []


def test_a_fingerprint_outlives_what_comes_before_it(reported: Callable[..., Reports]) -> None:
    lines = TWICE.splitlines(keepends=True)
    before = '{"op": "frame.allocate", "result": "0x800000", "_time": 1}\n'
    prints = []
    for text in (TWICE, "".join([lines[0], before, *lines[1:], lines[-1]])):
        Path("bad.jsonl").write_text(text, encoding="utf-8")
        found = reported("check", "--keep-going", "bad.jsonl")
        prints.append([each["partialFingerprints"]["memoracle/v1"] for each in found.results])
    assert prints[1][0] == prints[0][0]
    assert len({*prints[1]}) == 2


def test_what_servers_refuse_is_cut_and_said(reported: Callable[..., Reports], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bad.jsonl").write_text(TWICE + TWICE.splitlines(keepends=True)[1] * 3, encoding="utf-8")
    monkeypatch.setattr(sarif, "MOST", 2)
    monkeypatch.setattr(github, "MOST", 2)
    monkeypatch.setattr(of_check, "MOST_SHOWN", 2)
    found = reported("check", "--keep-going", "bad.jsonl")
    assert len(found.document["divergences"]) == 4
    assert len(found.results) == 2
    (notification,) = found.sarif["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    assert notification["message"]["text"] == "4 problems: the first 2 are here"
    assert [each.rpartition("::")[2] for each in found.commands[2:]] == ["and 2 more"]
    text = found.faults[0].text or ""
    assert text.count("rule   ") == 2
    assert "and 2 divergences more" in text
    assert "4 divergences in 5 events" in text


def test_a_run_that_comes_to_nothing_is_seen(reported: Callable[..., Reports]) -> None:
    Path("small.toml").write_text("frames = 0\n", encoding="utf-8")
    unusable = ["check", "x"], ["prove", "pat"]
    of_geometry = [[*each, "--geometry", "small.toml"] for each in unusable]
    for arguments in (*of_geometry, ["snapshot", "nothing.raw"], ["drive", "no:thing"]):
        found = reported(*arguments)
        assert (found.status, found.document, len(found.commands), len(found.results)) == (2, {}, 1, 1)
        assert [each.tag for each in found.faults] == ["error"]


def test_an_interrupt_that_no_command_reports_is_seen(
    reported: Callable[..., Reports], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("memoracle.commands.drive.session_of", interrupt)
    found = reported("drive", "true")
    assert (found.status, found.document, len(found.commands)) == (130, {}, 1)
    assert [(each.tag, each.attrib["message"]) for each in found.faults] == [
        ("error", "memoracle drive: interrupted [memoracle.run-is-whole]")
    ]
    assert [each["properties"]["kind"] for each in found.results] == ["interrupted"]
    assert found.sarif["runs"][0]["invocations"][0]["executionSuccessful"] is False


def test_what_a_file_is_called_is_not_obeyed_where_it_cannot_be_read(
    reported: Callable[..., Reports],
) -> None:
    name = "a\n::error::x\x1b.toml"
    Path(name).write_text("frames = 0\n", encoding="utf-8")
    found = reported("check", "x", "--geometry", name)
    assert (found.status, len(found.commands)) == (2, 1)
    (fault,) = found.faults
    assert (fault.text or "").startswith("a\\n::error::x\\x1b.toml:1: ")
    for each in (found.summary, *(Path(f"{form}.out").read_text(encoding="utf-8") for form in FORMS)):
        assert each.replace("\n", "").isprintable()
        assert not any(line.startswith("::error::") for line in each.splitlines())


def test_no_other_report_of_it_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["snapshot", str(tmp_path / "none"), f"--report=text={tmp_path / 'text'}", "--format", "junit"]
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert ElementTree.fromstring(printed.out).attrib["errors"] == "1"
    assert printed.err == f"memoracle: {tmp_path / 'none'}: cannot read: No such file or directory\n"
    assert [*tmp_path.iterdir()] == []


def test_a_snapshot(reported: Callable[..., Reports]) -> None:
    text = (ROOT / "examples" / "spaces.txt").read_text(encoding="utf-8")
    Path("spaces.txt").write_text(text, encoding="utf-8")
    found = reported("snapshot", "spaces.txt")
    assert found.status == 1
    assert len(found.commands) == len(found.results) == len(found.document["divergences"]) == 3
    assert [each["says"] for each in found.document["divergences"]] == [
        "a walk to an address of the upper half comes to the same leaf in every process"
    ] * 2 + ["two mappings of one frame have the same memory type"]
    assert len(found.faults) == 1
    assert "and 2 more" in found.faults[0].attrib["message"]


def test_what_drive_keeps_is_where_it_stands(
    reported: Callable[..., Reports], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = "class Stuck:\n    def frame_allocate(self):\n        return 0x400000\n"
    (tmp_path / "stuck_allocator.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    found = reported("drive", "stuck_allocator:Stuck", "--ops", "20", "--seed", "1", "--quiet")
    assert found.status == 1
    place = found.results[0]["locations"][0]["physicalLocation"]
    lines = Path(place["artifactLocation"]["uri"]).read_text(encoding="utf-8").splitlines()
    assert "frame.allocate" in lines[place["region"]["startLine"] - 1]
    assert (found.document["kept"], found.document["trace"]) == (place["artifactLocation"]["uri"], lines)
    assert found.suites[0][0].attrib["name"] == "stuck_allocator:Stuck"
    assert re.search("at level legal; seed 1: .*; shrunk from .* to 2, kept in", found.github[-1])
    (tmp_path / place["artifactLocation"]["uri"]).unlink()
    again = reported("drive", "stuck_allocator:Stuck", "--ops", "20", "--seed", "2", "--quiet", "--geometry", "x64-4k")
    assert again.results[0]["locations"] != found.results[0]["locations"]
    assert again.results[0]["partialFingerprints"] == found.results[0]["partialFingerprints"]
