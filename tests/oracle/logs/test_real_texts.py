"""Real texts, and what mail, web pages, terminals and CI systems make of them: the maps stay what they are."""

from __future__ import annotations

import html
import json
import quopri
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memoracle.cli import main
from memoracle.commands.boot import read_source, totals
from memoracle.logs.choice import chosen
from memoracle.trace.inputs import LINE_BYTES

DATA = Path(__file__).parents[2] / "data" / "e820"


def answers() -> dict[str, dict[str, Any]]:
    """What each text holds, computed apart from this project."""
    found: dict[str, dict[str, Any]] = json.loads((DATA / "expected-2.json").read_text())
    for name, answer in json.loads((DATA / "expected.json").read_text()).items():
        answer["usable_pages"] = {"4096": answer.pop("usable_pages_4k"), "2097152": answer.pop("usable_pages_2m")}
        found[name] = answer
    return found


ANSWERS = answers()
TOTALS = ("records", "usable_bytes", "highest_usable_byte", "usable_pages")
MISSING = {"x-limine-benamos.txt": "states 18 records, and 13 were read"}  # what a text says that it lacks
PROBES = {  # the smallest inputs of faults that were found: usable bytes
    "probe-bootfile-user-line.txt": 4162576384,
    "probe-js-one-record.txt": 0x100000,
    "probe-qp-one-record.txt": 0x100000,
}


def by_line(change: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: "".join(change(line) + "\n" for line in text.splitlines())


def dmesg_json(text: str) -> str:
    messages = [{"fac": "kern", "pri": "info", "time": 0.0, "msg": line} for line in text.splitlines()]
    return json.dumps({"dmesg": messages}, indent=3)


def journal(indent: int | None = None) -> Callable[[str], str]:
    def made(line: str) -> str:
        return json.dumps({"__CURSOR": "s=1", "_TRANSPORT": "kernel", "MESSAGE": line, "PRIORITY": "6"}, indent=indent)

    return by_line(made)


def quoted_printable(text: str) -> str:
    return quopri.encodestring(text.encode()).decode()


CHANGES: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "CRLF": by_line(lambda line: line + "\r"),
    "mail": by_line(lambda line: "> " + line),
    "mail twice": by_line(lambda line: ">> > " + line),
    "mail without spaces": by_line(lambda line: ">" + line),
    "syslog": by_line(lambda line: "Nov 21 08:43:20 some-host kernel: " + line),
    "journal": by_line(lambda line: "2023-11-21T08:43:20.123456+00:00 some-host kernel: " + line),
    "priority": by_line(lambda line: "<6>" + line),
    "GitHub": by_line(lambda line: "2023-11-21T08:43:20.1234567Z " + line),
    "Jenkins": by_line(lambda line: "[2023-11-21T08:43:20.123Z] " + line),
    "GitLab": by_line(lambda line: "\x1b[0Ksection\x1b[0m " + line),
    "colour": by_line(lambda line: "\x1b[32m" + line.replace(" ", " \x1b[0m", 1) + "\x1b[0m"),
    "colour without its escape": by_line(lambda line: "[32m" + line + "[0m"),
    "grep": by_line(lambda line: "logs/boot-1.txt:" + line),
    "grep -n": by_line(lambda line: "logs/boot-1.txt:17:" + line),
    "HTML": by_line(lambda line: f'<span class="log">{html.escape(line)}</span>'),
    "HTML in one line": lambda text: "<pre>" + "<br>".join(map(html.escape, text.splitlines())) + "</pre>",
    "forum": by_line(lambda line: f"[COLOR=#000000][FONT=arial]{line}[/FONT][/COLOR]"),
    "strings": by_line(lambda line: "  " + json.dumps(line) + ","),
    "one string": json.dumps,
    "dmesg -J": dmesg_json,
    "journalctl -o json": journal(),
    "journalctl -o json-pretty": journal(8),
    "quoted-printable": quoted_printable,
    "empty lines between": by_line(lambda line: line + "\n"),
    "byte-order mark": lambda text: "\ufeff" + text,
    "other lines": lambda text: "Linux version 6.1\n" + text + "user: root\nbase: 0x10\nXen: no\n",
}


def report(capsys: pytest.CaptureFixture[str], path: Path) -> dict[str, Any]:
    assert main(["boot", "--format", "json", str(path)]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def lacking(name: str) -> list[tuple[str, ...]]:
    """The warnings of a text, without the lines that they name."""
    return [MISSING[name].partition("states")[1:]] if name in MISSING else []


def test_every_text_has_its_answer() -> None:
    assert sorted([*ANSWERS, *PROBES]) == sorted(text.name for text in DATA.glob("*.txt"))


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_report_of_a_text(capsys: pytest.CaptureFixture[str], name: str) -> None:
    found = report(capsys, DATA / name)
    answer = {key: value for key, value in ANSWERS[name].items() if key != "form"}
    assert {key: found.get(key) for key in answer} == answer
    assert [warning.partition("states")[1:] for warning in found["warnings"]] == lacking(name)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_maps_of_a_text(tmp_path: Path, name: str, change: Callable[[str], str]) -> None:
    path = tmp_path / name
    path.write_bytes(change((DATA / name).read_text()).encode())
    maps = read_source(str(path), LINE_BYTES).maps
    answer = ANSWERS[name]
    assert totals(chosen(name, maps).records) == {key: answer[key] for key in TOTALS}
    warnings = [warning for each in maps for warning in each.warnings]
    assert [warning.partition("states")[1:] for warning in warnings] == lacking(name)
    if "maps_in_text" in answer:
        assert [[each.name, len(each.records)] for each in maps] == answer["maps_in_text"]


@pytest.mark.parametrize(("name", "usable"), PROBES.items())
def test_probe(capsys: pytest.CaptureFixture[str], name: str, usable: int) -> None:
    assert report(capsys, DATA / name)["usable_bytes"] == usable
