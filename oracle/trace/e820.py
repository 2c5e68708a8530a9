"""The firmware's memory map as Linux prints it while booting, from kernel 2.2 to today.

    [    0.000000] BIOS-e820: [mem 0x0000000000100000-0x000000007ffdbfff] usable      the last byte; since 3.5
     BIOS-e820: 0000000000100000 - 000000007ffdc000 (usable)                          the end; 2.4 to 3.4
     BIOS-e820: 000000007fedc000 @ 0000000000100000 (usable)                          the size; 2.2 and early 2.4

A log may hold several maps: the firmware's, and what the kernel or its command line made of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from memoracle.impl.boot import TOP, USABLE, Record
from memoracle.trace.inputs import InputError

RESERVED = 2  # the ACPI specification has any type that it does not define treated like this one
TYPES = {
    "usable": USABLE,
    "System RAM": USABLE,
    "kernel usable RAM": USABLE,
    "reserved": RESERVED,
    "device reserved": RESERVED,
    "ACPI data": 3,
    "ACPI NVS": 4,
    "unusable": 5,
    "persistent": 12,
    "soft reserved": 0xEFFFFFFF,
}
FIRMWARE = ("bios-", "xen")  # what the labels of a firmware's own map begin with

SHOWN = 100  # characters of a faulty line
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
HEADING = re.compile("physical RAM map:", re.IGNORECASE)
LABEL = re.compile(r"(?<![\w-])(BIOS-\w+|Xen|user|modified|reserve setup_data): *", re.IGNORECASE)
RECORD_LIKE = re.compile(r"\[m|[0-9a-f]{8}", re.IGNORECASE)
ADDRESS = r"(?:0x)?([0-9a-f]{1,16})"
LAST_BYTE_FORM = re.compile(rf"\[mem {ADDRESS}-{ADDRESS}\](.*)", re.IGNORECASE)
END_FORM = re.compile(rf"{ADDRESS} - {ADDRESS}(?![0-9a-f])(.*)", re.IGNORECASE)
SIZE_FORM = re.compile(rf"{ADDRESS} @ {ADDRESS}(?![0-9a-f])(.*)", re.IGNORECASE)
SIZE_COLUMN = re.compile(r"^\s*[\d.]+\s+[KMGTPE]?B\s")
TYPE_NUMBER = re.compile(r"\btype (\d+)\)*$")


def type_name(number: int) -> str:
    """The word for a type, as most kernels print it."""
    names = [name for name, kind in TYPES.items() if kind == number]
    return names[0] if names else f"type {number}"


class MemoryMap(NamedTuple):
    """The records of one map, in the order of their lines, and the label that these bear."""

    label: str
    records: list[Record]


def looks_like_e820(first_lines: Iterable[bytes]) -> bool:
    """Whether these lines belong to a boot log that holds a memory map, or to the head of any Linux boot log."""
    return any(
        "Linux version " in line or HEADING.search(line) is not None or record_text(line) is not None
        for line in map(decoded, first_lines)
    )


def read_e820(path: str, lines: Iterable[bytes]) -> MemoryMap:
    """The firmware's map if the log has it, else the first map; no records at all if the log has none.

    path is for messages. Raises InputError for a line that is a record's and cannot be read.
    """
    maps = list(read_maps(path, lines))
    firmware = (found for found in maps if found.label.lower().startswith(FIRMWARE))
    return next(firmware, maps[0] if maps else MemoryMap("", []))


def read_maps(path: str, lines: Iterable[bytes]) -> Iterator[MemoryMap]:
    """Every map of a log, each ended by a heading or by another label."""
    current = MemoryMap("", [])
    for number, line in enumerate(map(decoded, lines), 1):
        labelled = record_text(line)
        if labelled is None and not HEADING.search(line):
            continue
        label, text = labelled or ("", "")
        if label != current.label:
            if current.records:
                yield current
            current = MemoryMap(label, [])
        if text:
            try:
                current.records.append(read_record(text))
            except ValueError as fault:
                raise InputError(path, number, f"{label} record: {fault}: {text[:SHOWN]!r}") from None
    if current.records:
        yield current


def decoded(line: bytes) -> str:
    return COLOUR.sub("", line.decode("utf-8", "replace")).rstrip()


def record_text(line: str) -> tuple[str, str] | None:
    """The label of a record's line and what follows it; None for any other line."""
    label = LABEL.search(line)
    if label is None:
        return None
    text = line[label.end() :]
    if text.startswith("[g"):  # [gap a-b]: no record, but the lack of one
        return None
    firmware = label[1].lower().startswith("bios-")
    return (label[1], text) if firmware or RECORD_LIKE.match(text) else None


def read_record(text: str) -> Record:
    """The record that follows a label; raises ValueError that says what is wrong."""
    if found := LAST_BYTE_FORM.fullmatch(text):
        start, length = int(found[1], 16), int(found[2], 16) + 1 - int(found[1], 16)
        if length == TOP:  # 64 bits cannot hold that length: the record is empty, and its last byte is number -1
            length = 0
    elif found := END_FORM.fullmatch(text):
        start, end = int(found[1], 16), int(found[2], 16)
        length = (end - start) % TOP if end == 0 else end - start  # 2^64 is printed as 0
    elif found := SIZE_FORM.fullmatch(text):
        length, start = int(found[1], 16), int(found[2], 16)
    else:
        raise ValueError("no range of addresses")
    if length < 0:
        raise ValueError("it ends before it starts")
    return Record(start, length, read_type(found[3]))


def read_type(words: str) -> int:
    """The number of the type that a record's line ends in; a pager may have cut it, and marked the cut with `>`.

    Raises ValueError where too little is left to tell usable memory from other.
    """
    words = SIZE_COLUMN.sub("", words).strip()
    if number := TYPE_NUMBER.search(words):
        return int(number[1])
    word = words.strip("()>").rstrip()
    if word in TYPES:
        return TYPES[word]
    candidates = {kind for name, kind in TYPES.items() if name.startswith(word)}
    if USABLE in candidates and len(candidates) > 1:
        raise ValueError("no type, or one cut too short to tell")
    return candidates.pop() if len(candidates) == 1 else RESERVED
