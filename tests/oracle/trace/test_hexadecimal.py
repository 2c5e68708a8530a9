"""Addresses are shown in hexadecimal, wherever a trace has them; how much of something there is, in decimal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from memoracle.cli import main
from memoracle.drive.failures import Failures, read_kept
from memoracle.drive.requests import requests_of
from memoracle.report.check_report import told
from memoracle.trace.hexadecimal import in_hexadecimal, in_numbers, line_in_hexadecimal

PAGE, UPPER = 4096, 0xFFFF_8000_0000_0000
WRITTEN: list[tuple[dict[str, Any], str]] = [
    ({"op": "frame.allocate", "count": 16, "from": PAGE, "alignment": PAGE, "result": 2 * PAGE}, "from result"),
    ({"op": "frame.free_count", "result": PAGE}, ""),
    ({"op": "process.create", "tables": [PAGE, 0], "result": 12}, "tables"),
    ({"op": "range.reserve", "process": 1, "address": UPPER, "pages": 16}, "address"),
    ({"op": "page.map", "process": 3, "virtual": 0, "physical": PAGE, "cache": "write-back"}, "virtual physical"),
    ({"op": "page.translate", "virtual": UPPER, "result": None}, "virtual"),
    ({"op": "kernel_pages.allocate", "pages": 1, "frames": [PAGE], "result": UPPER}, "frames result"),
    ({"op": "pml4.write", "index": 256, "value": 0x1007}, "value"),
    ({"op": "pml4.dump", "process": 0, "result": [0, 0x1007]}, "result"),
    ({"op": "pat.select", "cache": "write-back", "low_half": True, "result": 0}, ""),
    ({"op": "pat.register", "result": 0x0005_0406}, "result"),
    ({"op": "pte.encode", "physical": PAGE, "present": True, "level": 1, "result": 0x1001}, "physical result"),
    ({"op": "heap.resize", "address": UPPER + 64, "bytes": 32, "result": UPPER}, "address result"),
    ({"op": "memory.add", "start": PAGE, "length": PAGE, "_cpu": 3, "crash": "0x10"}, "start"),
    ({"op": "no.such", "address": PAGE}, ""),
    ({"op": "frame.free", "address": True, "count": 2}, ""),  # ill-typed: it is shown as it is
]


def hexadecimal(value: Any) -> Any:
    return [*map(hexadecimal, value)] if isinstance(value, list) else f"{value:#x}"


@pytest.mark.parametrize(("event", "keys"), WRITTEN)
def test_addresses_are(event: dict[str, Any], keys: str) -> None:
    shown = in_hexadecimal(event)
    assert shown == event | {key: hexadecimal(event[key]) for key in keys.split()}
    assert list(shown) == list(event)
    assert in_numbers(shown) == event
    assert in_hexadecimal(shown) == shown


def test_of_lists_of_structures_what_is_an_address() -> None:
    listed = {"op": "range.list", "process": 1, "result": [[PAGE, 16, True], [2 * PAGE, 16], "noise"]}
    assert in_hexadecimal(listed)["result"] == [["0x1000", 16, True], ["0x2000", 16], "noise"]
    boot = {"op": "boot", "memory_map": [{"start": PAGE, "length": PAGE, "type": 1}, "noise"]}
    assert in_hexadecimal(boot)["memory_map"] == [{"start": "0x1000", "length": PAGE, "type": 1}, "noise"]
    decoded = {"op": "pte.decode", "value": 0x1001, "result": {"physical": PAGE, "leaf": False}}
    assert in_hexadecimal(decoded)["result"] == {"physical": "0x1000", "leaf": False}
    noted = {"op": "heap.delete", "address": 0, "_others": [{"op": "heap.delete", "address": 16}, {"op": [1]}, 5]}
    assert in_hexadecimal(noted)["_others"] == [{"op": "heap.delete", "address": "0x10"}, {"op": [1]}, 5]


@pytest.mark.parametrize("line", [b'{"memoracle":1,"geometry":"x64-4k"}', b"{", b"[1]", b'{"op":[]}'])
def test_what_is_no_event_stays_as_it_is(line: bytes) -> None:
    assert line_in_hexadecimal(line) == line


def test_what_is_kept_is_asked_again_in_numbers(tmp_path: Path) -> None:
    lines = [
        b'{"memoracle":1,"geometry":"x64-4k"}',
        b'{"op":"heap.new","bytes":8,"result":64}',
        b'{"op":"heap.delete","address":64}',
        b'{"op":"heap.delete","address":0,"_others":[{"op":"heap.delete","address":4096,"_instance":1}]}',
    ]
    failures = Failures(str(tmp_path / "it"))
    failures.keep(lines)
    [(path, kept)] = failures.kept()
    assert [json.loads(each).get("address") for each in kept[1:]] == [None, "0x40", "0x0"]
    assert read_kept(path, kept)[1] == requests_of(lines[1:])


@pytest.mark.parametrize("options", [["--format", "text"], ["--format", "junit"], ["--format", "sarif"]])
def test_messages_have_them_however_the_trace_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    (tmp_path / "trace").write_text('{"memoracle": 1}\n{"op": "frame.free", "address": 8388608}\n')
    assert main(["check", str(tmp_path / "trace"), "--quiet", *options]) == 1
    shown = capsys.readouterr().out
    assert "frame.free address=0x800000" in shown
    assert "8388608" not in shown


def test_a_result_is_shortened_after_it_is_written() -> None:
    assert told({"op": "pml4.dump", "process": 0, "result": [PAGE] * 512}).endswith(' "0x1000",...')
