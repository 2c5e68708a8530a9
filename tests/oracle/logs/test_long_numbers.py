"""Numbers in records of memory maps: of any length, wherever they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from memoracle.cli import main
from memoracle.logs.map_forms.form import RecordError, whole_number
from memoracle.logs.map_forms.table import FORMS

MORE = {  # records in which numbers stand that a form's own example has not
    "type in words": "BIOS-e820: [mem 0x0000000000100000-0x000000007ffdbfff] type 20",
    "type in brackets": "BIOS-e820: 0000000000100000 - 000000007ffdc000 (type 20)",
    "multiboot": "size = 0x14, base_addr = 0x0100000, length = 0x06f0000, type = 0x1",
    "multiboot, decimal": "size = 20, base_addr = 0x0100000, length = 0x06f0000, type = 1",
    "efi by number": "efi: mem01: type=7, attr=0xf, range=[0x0000000000048000-0x0000000000097000) (0MB)",
    "efi of ARM": "efi:   0x000040000000-0x00004007ffff [Conventional Memory|   |  |  |  |  |  |  |   |WB|WT|WC|UC]",
    "limine, decimal": "base: 0x100000, type: 0, length: 2145497088",
    "sysfs": "\n".join(f"/sys/firmware/memmap/0/{part}" for part in ("start:0x0", "end:0xfff", "type:System RAM")),
}
RECORDS = {form.name: form.example for form in FORMS} | MORE
NUMBER = re.compile(r"(?<![0-9a-zA-Z])(0x)?([0-9]+[0-9a-fA-F]*)(?![0-9a-zA-Z])")
LONG = {"nines": "9" * 5000, "zeros before": "0" * 5000 + "1", "a zero before": "01", "no ASCII": "\u0663"}


def altered(record: str, digits: str) -> list[str]:
    """The record with each of its numbers in turn replaced."""
    return [record[: n.start(2)] + digits + record[n.end(2) :] for n in NUMBER.finditer(record)]


@pytest.mark.parametrize("digits", LONG.values(), ids=LONG)
@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_a_number_of_any_length_is_read_or_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, record: str, digits: str
) -> None:
    texts = altered(record, digits)
    assert texts
    for text in texts:
        log = tmp_path / "log"
        log.write_text(text + "\n", encoding="utf-8")
        status = main(["boot", "--format", "json", str(log)])
        captured = capsys.readouterr()
        assert "internal error" not in captured.err
        assert status in (0, 2, 4)
        if status == 2:
            assert re.match(rf"memoracle: {re.escape(str(log))}:\d: ", captured.err)
            assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("digits", "base", "value"),
    [
        *[("10", 10, 10), ("0010", 10, 10), ("0x10", 10, 16), ("10", 16, 16), ("0X1F", 16, 31), ("0" * 5000, 10, 0)],
        *[(str((1 << 64) - 1), 10, (1 << 64) - 1), ("f" * 16, 16, (1 << 64) - 1)],
    ],
)
def test_a_number_is_read(digits: str, base: int, value: int) -> None:
    assert whole_number(digits, base) == value


@pytest.mark.parametrize(
    ("digits", "base"), [(str(1 << 64), 10), ("1" + "0" * 16, 16), ("9" * 5000, 10), ("f" * 21, 16)]
)
def test_a_number_of_more_than_64_bits_is_refused(digits: str, base: int) -> None:
    with pytest.raises(RecordError, match="a number has more than 64 bits"):
        whole_number(digits, base)
