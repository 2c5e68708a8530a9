"""The words for types of memory, as far as a text has preserved them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from memoracle.impl.boot import USABLE, Record
from memoracle.logs.map_forms.form import RESERVED, Entry, IncompleteError, RecordError, whole_number

LINUX = {
    "usable": USABLE,
    "System RAM": USABLE,
    "kernel usable RAM": USABLE,
    "reserved": RESERVED,
    "device reserved": RESERVED,
    "ACPI data": 3,
    "ACPI NVS": 4,
    "unusable": 5,
    "persistent": 12,
    "persistent RAM": 12,
    "soft reserved": 0xEFFFFFFF,
}
GRUB = {
    "available RAM": USABLE,
    "reserved RAM": RESERVED,
    "ACPI reclaimable RAM": 3,
    "ACPI non-volatile storage RAM": 4,
    "faulty RAM": 5,
    "bad RAM": 5,
    "persistent RAM": 7,
    "persistent RAM (legacy)": 12,
    "RAM holding coreboot tables": 16,
    "RAM holding firmware code": 20,
}
FIRMWARE_FILES = {
    "System RAM": USABLE,
    "Reserved": RESERVED,
    "ACPI Tables": 3,
    "ACPI Non-volatile Storage": 4,
    "Unusable memory": 5,
    "Persistent Memory": 7,
    "Persistent Memory (legacy)": 12,
    "Soft Reserved": 0xEFFFFFFF,
    "Device Reserved": RESERVED,
    "RAM buffer": RESERVED,
    "Unknown E820 type": RESERVED,
}
LEAST = 2  # letters of a word that was cut
MARKS = " \t\"'`*_<>()[]{}|,;.:=+~^\\-"
TYPE_NUMBER = re.compile(r"\(?(?:unknown )?type[ :=]*(0x[0-9a-f]+|\d+)(.*)")
SAYS_NUMBER = re.compile(r"\(type (\d+)\)")


class TypeFound(NamedTuple):
    """The number of a type, and what had to be assumed if its word was cut."""

    kind: int
    warning: str = ""


def type_name(number: int) -> str:
    """The word for a type, as most kernels print it."""
    names = [name for name, kind in LINUX.items() if kind == number]
    return names[0] if names else f"type {number}"


def read_type(text: str, words: Mapping[str, int]) -> TypeFound | None:
    """The type that a text begins with, marks around it dropped and a cut word completed; None if there is no word.

    Raises RecordError for an unknown word, and for one of which too little is left to tell usable memory from other.
    """
    said = " ".join(text.split()).lstrip(MARKS).casefold()
    if said.strip(MARKS) in ("", "type"):
        return None
    if number := TYPE_NUMBER.match(said):
        return numbered(number[1], number[2], words is LINUX)
    known = {name.casefold(): kind for name, kind in words.items()}
    whole = [name for name in known if said.startswith(name) and only_marks_follow(said[len(name) :])]
    if whole:
        name = max(whole, key=len)
        number = SAYS_NUMBER.match(said[len(name) :].lstrip())
        return TypeFound(whole_number(number[1], 10) if number else known[name])
    return completed(said, known)


def numbered(digits: str, rest: str, never_usable: bool) -> TypeFound:
    """A type that is given by its number; a pager marks with `>` where it cut a line.

    never_usable: whether usable memory has a word, so that its number is the beginning of another.
    """
    if never_usable and digits == str(USABLE):
        return TypeFound(
            RESERVED, f"its type, {digits}, was cut, since usable memory has a word; it is taken as reserved"
        )
    if rest.strip().startswith(">"):
        return TypeFound(RESERVED, f"its type, {digits}>, was cut, and is taken as reserved")
    return TypeFound(whole_number(digits, 10))


def only_marks_follow(rest: str) -> bool:
    """Whether what follows a word does not go on with the same phrase."""
    return not rest or not (rest[0].isalnum() or rest.lstrip()[:1].isalnum())


def completed(said: str, known: Mapping[str, int]) -> TypeFound:
    """The type whose word begins like this one, which was cut; raises RecordError."""
    word = re.split(r"[^\w ()-]", said, maxsplit=1)[0].strip(" _()").rstrip("-")
    if said[len(word) :].strip(MARKS + "…"):
        raise RecordError(f"unknown type {said.strip(MARKS)!r}")
    kinds = {kind for name, kind in known.items() if name.startswith(word)}
    if not kinds or (word and len(word) < LEAST):
        raise RecordError(f"unknown type {said.strip(MARKS)!r}")
    if USABLE in kinds and len(kinds) > 1:
        raise RecordError(f"type {word!r} was cut too short to tell")
    kind = kinds.pop() if len(kinds) == 1 else RESERVED
    return TypeFound(kind, f"its type, {word!r}, was cut, and is taken as {type_name(kind)}")


def with_type(label: str, record: Record, text: str, words: Mapping[str, int], first: bool | None = None) -> Entry:
    """A record with the type that a text begins with; raises IncompleteError and RecordError."""
    found = read_type(text, words)
    if found is None:
        raise IncompleteError("no type")
    whole = Entry(label, record._replace(type=found.kind), first, found.warning)
    if found.warning:
        raise IncompleteError(found.warning, whole)
    return whole
