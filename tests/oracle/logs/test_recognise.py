from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from memoracle.logs.json_messages import DMESG, JOURNAL, messages
from memoracle.logs.recognise import E820, JSONL, KMEM, recognise
from memoracle.trace.inputs import InputError

DATA = Path(__file__).parents[2] / "data"
RECORD = "BIOS-e820: [mem 0x0000000000100000-0x0000000000ffffff] usable"
DMESG_LOG = json.dumps({"dmesg": [{"pri": 6, "time": 0.0, "msg": RECORD}, {"msg": "second"}]}, indent=3)
ENTRY = {"__CURSOR": "s=0", "PRIORITY": "6", "MESSAGE": RECORD, "_TRANSPORT": "kernel"}
EVENT = '{"op": "frame.allocate", "result": 0, "_TRANSPORT": "serial", "_MESSAGE": "x"}'


def lines(text: str) -> Iterator[bytes]:
    return iter(text.encode().splitlines(keepends=True))


@pytest.mark.parametrize(
    ("text", "form", "kind"),
    [
        ('{"memoracle": 1}\n', JSONL, None),
        (EVENT, JSONL, None),
        ("{\n", JSONL, None),
        ("  {}\n", JSONL, None),
        (RECORD, E820, None),
        ("other\n" * 4000 + RECORD, E820, None),
        (DMESG_LOG, E820, DMESG),
        (json.dumps(json.loads(DMESG_LOG)), E820, DMESG),
        (json.dumps(ENTRY), E820, JOURNAL),
        (json.dumps(ENTRY, indent=8), E820, JOURNAL),
        ("\n" + json.dumps(ENTRY), E820, JOURNAL),
        ("data: " + json.dumps(ENTRY), E820, JOURNAL),
        ("\x1e" + json.dumps(ENTRY), E820, JOURNAL),
        (json.dumps({**ENTRY, "MESSAGE": list(RECORD.encode())}), E820, JOURNAL),
        (json.dumps({**ENTRY, "MESSAGE": "mm_page_free: page=0 pfn=1 order=0"}), KMEM, JOURNAL),
        ("sh-1 [000] 1.0: mm_page_free: page=0 pfn=1 order=0\n", KMEM, None),
        ("sh-1 [000] 1.0: kfree: call_site=0 ptr=0\n", KMEM, None),
    ],
)
def test_what_an_input_is(text: str, form: str, kind: str | None) -> None:
    found = recognise("input", lines(text))
    assert (found.form, found.kind) == (form, kind)
    if kind is None:
        assert b"".join(found.lines) == text.encode()


@pytest.mark.parametrize("text", ["hello\n", "BIOS\n", DMESG_LOG.replace("BIOS", "other").replace("e820", "x"), "\n\n"])
def test_what_is_none_of_these_is_told_with_the_forms_that_are_known(text: str) -> None:
    with pytest.raises(InputError) as caught:
        recognise("input", lines(text))
    for form in ("trace", "kmem", "BIOS-e820", "GRUB", "Limine", "UEFI", "SeaBIOS", "SMAP", "memblock", "/proc/iomem"):
        assert form in str(caught.value)


def test_of_a_trace_no_more_than_its_first_line_is_waited_for() -> None:
    def slow() -> Iterator[bytes]:
        yield b'{"memoracle": 1}\n'
        raise AssertionError("the second line was read")

    assert recognise("input", slow()).form == JSONL


def test_messages_stand_in_the_lines_that_they_are_from() -> None:
    kind, found = messages(
        "log", lines(json.dumps(ENTRY) + "\nno JSON\n" + json.dumps({**ENTRY, "MESSAGE": "a\nb"}) + "\n")
    )
    assert (kind, list(found)) == (JOURNAL, [RECORD.encode() + b"\n", b"\n", b"a\rb\n"])


@pytest.mark.parametrize("value", ["null", "[300]", "[]", '"\\ud800"', '"\\x"', "5"])
def test_a_message_that_is_no_text_is_no_error(value: str) -> None:
    kind, found = messages("log", lines('{"__CURSOR": "1", "MESSAGE": ' + value + "}\n"))
    assert kind == JOURNAL
    assert len(list(found)) == 1
