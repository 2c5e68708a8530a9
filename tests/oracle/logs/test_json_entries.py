"""A log in JSON that is damaged or cut loses no record in silence."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

import pytest

from memoracle.impl.boot import Record
from memoracle.logs.json_messages import messages
from memoracle.logs.memory_maps import MemoryMap, read_maps
from memoracle.trace.inputs import InputError

STARTS = (0, 0x2000, 0x4000, 0x6000)
TEXTS = [f"BIOS-e820: [mem {start:#018x}-{start + 0xFFF:#018x}] usable" for start in STARTS]
BOOT, OTHER_BOOT = "0123456789abcdef" * 2, "fedcba9876543210" * 2


def entry(text: str, boot: str = BOOT) -> dict[str, str]:
    return {"__CURSOR": "s=1", "_BOOT_ID": boot, "MESSAGE": text, "_TRANSPORT": "kernel", "PRIORITY": "6"}


def entry_by_entry(text: Callable[[dict[str, str]], str]) -> Callable[[Iterable[str]], str]:
    return lambda texts: "".join(text(entry(said)) for said in texts)


def dmesg(indent: int | None) -> Callable[[Iterable[str]], str]:
    return lambda texts: json.dumps({"dmesg": [{"pri": 6, "time": 0.0, "msg": t} for t in texts]}, indent=indent) + "\n"


FORMS: dict[str, Callable[[Iterable[str]], str]] = {
    "json": entry_by_entry(lambda each: json.dumps(each) + "\n"),
    "json-pretty": entry_by_entry(lambda each: json.dumps(each, indent=8) + "\n"),
    "json-sse": entry_by_entry(lambda each: f"data: {json.dumps(each)}\n\n"),
    "json-seq": entry_by_entry(lambda each: f"\x1e{json.dumps(each)}\n"),
    "dmesg": dmesg(3),
    "dmesg in one line": dmesg(None),
}


def read(text: str) -> list[MemoryMap]:
    _, lines = messages("boot.log", iter(text.encode().splitlines(keepends=True)))
    return read_maps("boot.log", lines)


def is_whole_or_noticed(text: str, whole: list[Record], first: int, last: int) -> bool:
    """Whether all records of a text are read, or it is refused in one of these lines, or warned of."""
    try:
        found = read(text)
    except InputError as fault:
        return fault.line is not None and first <= fault.line <= last
    return [record for each in found for record in each.records] == whole or any(each.warnings for each in found)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_text_that_was_cut(form: Callable[[Iterable[str]], str]) -> None:
    text = form(TEXTS)
    (whole,) = read(text)
    assert [record.start for record in whole.records] == list(STARTS)
    for end in range(len(form(TEXTS[:3])) + 8 if form(TEXTS[:1]) in text else len(text) - 300, len(text.rstrip())):
        lines = text[:end].count("\n") + 1
        assert is_whole_or_noticed(text[:end], whole.records, lines - 1, lines), text[:end][-60:]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("letter", ["", "#", '"', "}", "\n"])
def test_an_entry_that_is_damaged(form: Callable[[Iterable[str]], str], letter: str) -> None:
    text = form(TEXTS)
    (whole,) = read(text)
    middle = text.index(TEXTS[2])
    for place in range(middle - 60, middle + len(TEXTS[2]) + 40):
        damaged = text[:place] + letter + text[place + 1 :]
        first = text[:place].count("\n")
        assert is_whole_or_noticed(damaged, whole.records, first, first + 9), damaged[place - 30 : place + 30]


@pytest.mark.parametrize("indent", [None, 8])
def test_another_boot_begins_with_its_first_entry(indent: int | None) -> None:
    """Also where the text has a boot's name after the message, and nothing else tells the maps apart."""
    texts = [(TEXTS[0], BOOT), (TEXTS[1], OTHER_BOOT), (TEXTS[2], OTHER_BOOT)]
    entries = [dict(reversed(entry(text, boot).items())) for text, boot in texts]
    found = read("".join(json.dumps(each, indent=indent) + "\n" for each in entries))
    assert [(each.boot, len(each.records)) for each in found] == [(1, 1), (2, 2)]


def test_what_is_said_of_a_text_that_was_cut() -> None:
    with pytest.raises(InputError, match=r"^boot\.log:3: the journal's JSON: it is damaged here: "):
        read(FORMS["json"](TEXTS[:2]) + FORMS["json"](TEXTS[2:3])[:70])
    with pytest.raises(
        InputError, match=r"^boot\.log:5: dmesg's JSON: the text ends here, within the object .* line 1$"
    ):
        read(FORMS["dmesg"](TEXTS)[:52])


def test_a_message_with_an_escape_that_json_has_not_is_read() -> None:
    (found,) = read(FORMS["json"](TEXTS).replace("] usable", "] usable\\x1b[0m"))
    assert len(found.records) == len(TEXTS)
