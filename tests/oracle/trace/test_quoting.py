"""Nothing that a trace, a log or a file's name says reaches a terminal or a CI runner as it stands."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memoracle.cli import main
from memoracle.trace.quoting import escaped, escaped_in_json, quoted, shortened, without_line_commands

HOSTILE = [
    "\n::error file=a::b",
    "x\r\n::set-output name=a::b",
    "\x1b[2J\x1b]0;title\x07",
    "\x9b2J\x85\x00\x7f",
    "\u202eabc\u2066\u200b\u2028::error::x\u2029",
    "##[add-matcher]x ##vso[task.setvariable]y ##teamcity[z]",
    "a" * 130 + "::error::" + "b" * 130,
    " ::warning::" * 30,
]
COMMANDS = re.compile(r"(?m)^\s*::|##\w*\[")
NAME = "trace\n::error::\x1b[2J##[x].jsonl"


def assert_harmless(text: str) -> None:
    assert [each for each in text if not each.isprintable() and each != "\n"] == []
    assert COMMANDS.search(text) is None


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
    for form in ("text", "json"):
        status = main([*arguments, "--format", form])
        captured = capsys.readouterr()
        assert status in (0, 1, 2, 4)
        assert "internal error" not in captured.err
        assert all(re.match("(memoracle|usage|  )", line) for line in captured.err.splitlines())
        assert_harmless(captured.err)
        if form == "text":
            assert_harmless(captured.out)
        else:
            assert captured.out.count("\n") <= 1
            assert captured.out.isascii()
            assert all(each.isprintable() or each == "\n" for each in captured.out)


def places(text: str) -> dict[str, list[Any]]:
    """A trace for each place in which a text may stand."""
    count: dict[str, Any] = {"op": "frame.free_count", "result": 3}
    header: dict[str, Any] = {"memoracle": 1}
    return {
        "error": [header, {"op": "frame.allocate", "error": text}],
        "recorder's value": [header, count | {"_x": text}],
        "recorder's key": [header, count | {f"_{text}": 1}],
        "inside of a value": [header, count | {"_x": [{text: text}]}],
        "operation": [header, {"op": text}],
        "unknown key": [header, count | {text: 1}],
        "number": [header, count | {"result": text}],
        "memory type": [header, {"op": "pat.decode", "index": 0, "result": text}],
        "header's key": [header | {text: 1}],
        "preset": [header | {"geometry": text}],
        "key of a geometry": [header | {"geometry": {text: 1}}],
        "value of a geometry": [header | {"geometry": {"frame_free": text}}],
        "no event": [header, text],
        "no header": [text],
        "second header": [header, count | {"result": 2046}, header | {"_": text}],
    }


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("place", places(""))
def test_no_text_of_a_trace_is_obeyed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str, text: str
) -> None:
    lines = [json.dumps(each) for each in places(text)[place]]
    (tmp_path / "t.jsonl").write_text("\n".join(lines) + "\n")
    for options in ((), ("--keep-going", "--ignore-unknown")):
        run(capsys, "check", str(tmp_path / "t.jsonl"), *options)
    run(capsys, "boot", str(tmp_path / "t.jsonl"))
    (tmp_path / "raw.jsonl").write_text(f'{{"memoracle": 1}}\n{text}\n')
    run(capsys, "check", str(tmp_path / "raw.jsonl"))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_a_log_is_obeyed(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    record = "BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] "
    for name, log in {
        "type": record + text,
        "label": record.replace("BIOS-e820", f"BIOS-{text}") + "usable",
        "range": f"BIOS-e820: [mem {text}] usable",
        "kmem": f"perf  6429 [000]    22.498450: kmem:mm_page_alloc: page=0x1 pfn={text} order=0\n",
        "task": f"{text} [000]    22.498450: kmem:mm_page_free: page=0x1 pfn=1 order=0\n" * 2,
    }.items():
        (tmp_path / name).write_text(log)
        run(capsys, "check", str(tmp_path / name))
        run(capsys, "boot", str(tmp_path / name))


@pytest.mark.parametrize("arguments", [["check"], ["boot"], ["explain"], ["prove"], ["check", "--level"], ["--"]])
def test_no_name_of_a_file_is_obeyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (NAME, f"--{NAME}"):
        run(capsys, *arguments, name)
        run(capsys, "check", "t", "--output", f"{name}/x")
        run(capsys, "check", "t", "--geometry", name)
    Path(NAME).write_text('{"memoracle": 1}\n{"op": "frame.free_count", "result": 3}\n{"op": "fly"}\n')
    run(capsys, "check", "--keep-going", NAME)
    run(capsys, "check", "--ignore-unknown", "--keep-going", NAME)
    run(capsys, "check", NAME, "--memory-map", NAME)
    run(capsys, "check", "t", "--geometry", NAME)


@given(st.text())
def test_escaped_text_is_printable_and_keeps_what_is(text: str) -> None:
    shown = escaped(text)
    assert shown.isprintable()
    assert COMMANDS.search(without_line_commands(shown)) is None
    if text.isprintable() and "##" not in text:
        assert shown == text


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=2000), st.integers(1, 300))
def test_quotations_are_short(text: bytes, most: int) -> None:
    assert len(shortened(text.decode("latin-1"), most)) <= most + 3
    assert quoted(text, most).isprintable()
    assert len(quoted(text, most)) <= 12 * most + 5


@given(st.text() | st.sampled_from([*HOSTILE, "\x7f\x9b", "\U000e0001", "##vso[x"]))
def test_a_line_of_json_that_is_escaped_says_the_same(text: str) -> None:
    line = json.dumps({"error": text}, ensure_ascii=False)
    found = escaped_in_json(line)
    assert json.loads(found) == json.loads(line)
    assert found.isprintable()
    assert re.search(r"##\w*\[", found) is None
