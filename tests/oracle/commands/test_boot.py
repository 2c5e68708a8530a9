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
    words = "frames: 1,099,511,627,776 take 549,755 MB, and there are"
    assert words in refusal(capsys, QEMU, "--geometry", str(huge))


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
    text = capsys.readouterr().out
    assert text == f"{log}: nothing: {found['reason']}\n"
    assert text.startswith(f"{log}: nothing: no record of a memory map")
    assert ("these forms are known" in text) == content.startswith("Linux")


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
        (b'{"memoracle": 1}\n[]\n', ":2: not a JSON object, as headers and events are"),
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


TWO_BOOTS = (
    "BIOS-provided physical RAM map:\nBIOS-e820: [mem 0x0000000000000000-0x00000000005fffff] usable\n"
    "user-defined physical RAM map:\nuser: [mem 0x0000000000000000-0x00000000003fffff] usable\n"
    "BIOS-provided physical RAM map:\nBIOS-e820: [mem 0x0000000000000000-0x00000000007fffff] usa>\n"
)


@pytest.mark.parametrize(
    ("options", "name", "boot", "usable"),
    [
        ([], "bios-e820", 1, 0x600000),
        (["--map", "user"], "user", 1, 0x400000),
        (["--map", "USER", "--boot", "1"], "user", 1, 0x400000),
        (["--boot", "2"], "bios-e820", 2, 0x800000),
        (["--boot", "2", "--map", "bios-e820"], "bios-e820", 2, 0x800000),
    ],
)
def test_a_map_may_be_chosen(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, options: list[str], name: str, boot: int, usable: int
) -> None:
    log = tmp_path / "boot.log"
    log.write_text(TWO_BOOTS)
    found = report(capsys, str(log), *options)
    assert (found["map"], found["boot"], found["usable_bytes"]) == (name, boot, usable)
    assert found["maps_in_text"] == [["bios-e820", 1], ["user", 1], ["bios-e820", 1]]
    assert found["maps"] == [
        {"map": "bios-e820", "boot": 1, "line": 2, "records": 1, "form": "e820"},
        {"map": "user", "boot": 1, "line": 4, "records": 1, "form": "e820"},
        {"map": "bios-e820", "boot": 2, "line": 6, "records": 1, "form": "e820"},
    ]
    assert ("user_map" in found) == (boot == 1)
    assert found["warnings"] == ([] if boot == 1 else ["line 6: its type, 'usa', was cut, and is taken as usable"])


def test_text_lists_the_maps_and_says_which_is_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    log = tmp_path / "boot.log"
    log.write_text(TWO_BOOTS)
    assert main(["boot", str(log), "--boot", "2"]) == 0
    text = capsys.readouterr().out
    assert "warning: line 6: its type, 'usa', was cut" in text
    assert "3 memory maps of 2 boots" in text
    assert rows_of(text)[:3] == [
        ["bios-e820", "1", "2", "1", ""],
        ["user", "1", "4", "1", ""],
        ["bios-e820", "2", "6", "1", "this one"],
    ]


def test_text_lists_no_more_maps_than_people_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    log = tmp_path / "boot.log"
    log.write_text(TWO_BOOTS * 100)
    assert main(["boot", str(log)]) == 0
    text = capsys.readouterr().out
    assert "300 memory maps of 200 boots" in text
    assert len(rows_of(text)) < 60


@pytest.mark.parametrize("options", [["--boot", "3"], ["--map", "xen"], ["--boot", "2", "--map", "user"]])
def test_a_map_that_is_not_there_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, options: list[str]
) -> None:
    log = tmp_path / "boot.log"
    log.write_text(TWO_BOOTS)
    message = refusal(capsys, str(log), *options)
    assert f"no memory map fits {options[0]} {options[1]}" in message
    assert "user of boot 1 (line 4)" in message


def test_a_log_in_json_is_said_to_be_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    log = tmp_path / "boot.json"
    log.write_text(json.dumps({"dmesg": [{"msg": line} for line in TWO_BOOTS.splitlines()]}))
    assert main(["boot", str(log)]) == 0
    assert "is dmesg's JSON: the messages in it are read" in capsys.readouterr().err
