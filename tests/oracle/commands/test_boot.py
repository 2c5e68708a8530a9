from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from memoracle.cli import main

DATA = Path(__file__).parents[2] / "data" / "e820"
EXPECTED: dict[str, dict[str, Any]] = json.loads((DATA / "expected.json").read_text())
QEMU = str(DATA / "qemu-4g.txt")
EVENT = '{"op": "boot", "memory_map": [{"start": 0, "length": "0x600000", "type": 1}], "_at": "mm.c:7"}\n'


def report(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> dict[str, Any]:
    assert main(["boot", "--format", "json", *arguments]) == status
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["boot", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def rows_of(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines() if line[:1] == "│"]


def test_every_log_has_its_answer() -> None:
    assert sorted(EXPECTED) == sorted(log.name for log in DATA.glob("*.txt"))


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_real_machine(capsys: pytest.CaptureFixture[str], name: str) -> None:
    expected = EXPECTED[name]
    found = report(capsys, str(DATA / name))
    assert found.pop("frames").keys() == {"exist", "free"}
    assert found == {
        "memoracle": 1,
        "command": "boot",
        "records": expected["records"],
        "usable_bytes": expected["usable_bytes"],
        "highest_usable_byte": expected["highest_usable_byte"],
        "usable_pages": {"4096": expected["usable_pages_4k"], "2097152": expected["usable_pages_2m"]},
    }


def test_frames_are_the_geometry_s(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    # Usable below 4 GiB: 0xe0000000 bytes without the page of the legacy area and the one of the ACPI tables.
    assert report(capsys, QEMU)["frames"] == {"exist": 1791, "free": 1789}
    # All 1,048,463 usable pages and, of the image's 1,024 frames, the 97 that are not usable.
    assert report(capsys, QEMU, "--geometry", "x64-4k")["frames"] == {"exist": 1048463 + 97, "free": 1048560 - 1024}
    small = tmp_path / "small.toml"
    small.write_text("frames = 8\nkernel_image_frames = 1\n")
    assert report(capsys, QEMU, "--geometry", str(small))["frames"] == {"exist": 8, "free": 7}


@pytest.mark.parametrize(
    "content", [(DATA / "qemu-4g.txt").read_bytes(), gzip.compress((DATA / "qemu-4g.txt").read_bytes())]
)
def test_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert report(capsys, "-") == report(capsys, QEMU)


def test_boot_event(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(EVENT)
    found = report(capsys, str(event))
    assert (found["records"], found["usable_bytes"], found["highest_usable_byte"]) == (1, 0x600000, "0x5fffff")
    assert found["frames"] == {"exist": 3, "free": 1}


def test_geometry_of_a_trace_counts_until_another_is_asked_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    trace = tmp_path / "trace.jsonl"
    trace.write_text(
        '{"memoracle": 1, "geometry": {"kernel_image_frames": 1}}\n' + EVENT + '{"op": "frame.allocate"}\n'
    )
    assert report(capsys, str(trace))["frames"] == {"exist": 3, "free": 2}
    assert main(["boot", str(trace), "--geometry", "x64-4k"]) == 0
    assert capsys.readouterr().err == f"memoracle: x64-4k replaces the geometry of {trace}\n"
    assert main(["boot", str(trace), "--geometry", "x64-4k", "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    trace.write_text('{"memoracle": 1}\n' + EVENT)
    assert main(["boot", str(trace), "--geometry", "x64-4k"]) == 0
    assert capsys.readouterr().err == ""  # it states none that could be replaced


def test_geometry_of_more_frames_than_memory_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    huge = tmp_path / "huge.toml"
    huge.write_text(f'preset = "x64-4k"\nframes = {1 << 40}\n')
    assert "frames: 1,099,511,627,776 take 256 GiB, and this machine has" in refusal(
        capsys, QEMU, "--geometry", str(huge)
    )


EMPTY = [
    "",
    "Linux version 6.1\n",
    '{"memoracle": 1}\n',
    '{"op": "frame.allocate", "result": 0}\n',
    '{"memoracle": 1}\n{"op": "frame.fly"}\n',
    '{"op": "boot", "memory_map": []}\n',
]


@pytest.mark.parametrize("content", EMPTY)
def test_nothing_to_read_is_no_success(capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str) -> None:
    log = tmp_path / "boot.log"
    log.write_text(content)
    found = report(capsys, str(log), status=4)
    assert (found["records"], found["usable_bytes"], found["highest_usable_byte"]) == (0, 0, None)
    assert main(["boot", str(log)]) == 4
    assert capsys.readouterr().out == f"{log}: nothing: no record of a memory map\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"BIOS-provided physical RAM map:\nBIOS-e820: [mem 0x0-\n", ":2: BIOS-e820 record: no range of addresses"),
        (b'{"op": "boot"}\n', ":1: memory_map: missing"),
        (b'{"op": "boot", "memory_map": {}}\n', ":1: memory_map: an array was expected, not an object"),
        (b'{"op": "boot", "memory_map": [], "cpu": 1}\n', ":1: cpu: unknown key"),
        (b'{"op": "frame.allocate"}\n', ":1: result: absent or null"),
        (b'{"memoracle": 2}\n', ":1: memoracle: trace format 2 is not known"),
        (b'{"op": "boot", "memory_map": [{"start": 0, "length": 1}]}\n', ":1: memory_map[0].type: missing"),
        (b'{"op": "boot", "memory_map": [{"start": 0, "length": 1, "type": 1, "kind": 1}]}\n', "[0].kind: unknown key"),
        (
            b'{"op": "boot", "memory_map": [{"start": "0", "length": 1, "type": 1}]}\n',
            'memory_map[0].start: neither an integer nor a string "0x..."',
        ),
        (
            b'{"op": "boot", "memory_map": [{"start": 0, "length": -1, "type": 1}]}\n',
            "memory_map[0]: it is refused, since a record's numbers have 64 bits",
        ),
        (b'{"memoracle": 1, "geometry": {"frames": 0}}\n', ":1: geometry: frames: 0 is not positive"),
        (b'{"memoracle": 1}\n{"op": "boot"\n', ":2: "),
        (b'{"op": "\xff"}\n', ":1: "),
        (b'{"a":' * 100_000, ":1: "),
        (b'{"memoracle": 1}\n[]\n', ":2: no JSON object, as headers and events are"),
    ],
)
def test_faulty_input_is_told_with_file_and_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes, told: str
) -> None:
    log = tmp_path / "boot.log"
    log.write_bytes(content)
    message = refusal(capsys, str(log), "--format", "json")
    assert message.startswith(f"memoracle: {log}:")
    assert told in message


def test_faulty_geometry_and_unwritable_report(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "x86: neither a preset" in refusal(capsys, QEMU, "--geometry", "x86")
    assert "cannot write" in refusal(capsys, QEMU, "--output", str(tmp_path))
    assert "cannot read" in refusal(capsys, str(tmp_path))


def test_report_goes_to_the_file_that_is_asked_for(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    assert main(["boot", QEMU, "--format", "json", "--output", str(file)]) == 0
    assert capsys.readouterr().out == ""
    assert json.loads(file.read_text()) == report(capsys, QEMU)


def test_text_shows_records_usable_memory_and_totals(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boot", QEMU]) == 0
    text = capsys.readouterr().out
    rows = rows_of(text)
    assert "Records (BIOS-e820)" in text
    assert rows[0] == ["0x0", "0x9fbff", "639 KiB", "usable"]
    assert rows[4] == ["0xdfff0000", "0xdfffffff", "64 KiB", "ACPI data"]
    assert rows[7:10] == [
        ["0x0", "0x9fbff", "639 KiB"],
        ["0x100000", "0xdffeffff", "3.5 GiB"],
        ["0x100000000", "0x11fffffff", "512 MiB"],
    ]
    assert rows[10:] == [
        ["records", "7"],
        ["usable bytes", "4,294,507,520"],
        ["highest usable byte", "0x11fffffff"],
        ["usable pages of 4 KiB", "1,048,463"],
        ["usable pages of 2 MiB", "2,046"],
        ["frames of 2 MiB that exist", "1,791"],
        ["frames of 2 MiB that are free", "1,789"],
    ]


def test_record_that_wraps_is_shown_to_end_with_the_address_space(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    log = tmp_path / "event.json"
    log.write_text(
        '{"op": "boot", "memory_map": [{"start": "0xffffffffffff0000", "length": "0x20000", "type": 1},'
        ' {"start": 4096, "length": 0, "type": 2}]}'
    )
    assert main(["boot", str(log)]) == 0
    text = capsys.readouterr().out
    assert rows_of(text)[:2] == [
        ["0xffffffffffff0000", "0xffffffffffffffff", "64 KiB", "usable"],
        ["0x1000", "(empty)", "0 bytes", "reserved"],
    ]
    assert report(capsys, str(log))["usable_bytes"] == 0x10000
