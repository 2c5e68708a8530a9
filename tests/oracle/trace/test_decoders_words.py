"""What is wrong with a line is said in the words of a trace, and of which field: none of a decoder's reach a user."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from msgspec.structs import fields

from memoracle.trace.decoding import MalformedLine, decode_event, decode_header
from memoracle.trace.events import AnyEvent, operation_of_kind

VALUES = (
    *map(json.dumps, [None, True, 1.5, -1, 1 << 70, "x", "0x", [], {}, [1], [[1]], [["a", 1, 2]], {"a": 1}, "1e400"]),
    *(
        "1e400",
        "-1e400",
        "[1e400]",
        "[[0, 1e400, true]]",
        '[{"start": 1e400}]',
        '{"value": 1e400}',
        '{"frames": 1e400}',
    ),
)
DECODERS = re.compile(
    r"Expected|Invalid|out of range|Object|Input|`(?:int|str|float|bool|array|object|null)\b|\[\.\.\.\]"
)
KINDS = {operation_of_kind(kind): kind for kind in AnyEvent.__args__}


def line(keys: dict[str, str]) -> bytes:
    return ("{" + ", ".join(f'"{key}": {value}' for key, value in keys.items()) + "}").encode()


def said_of(read: Callable[[bytes], object], text: bytes) -> str:
    """What is wrong with a line; nothing if it is read."""
    try:
        read(text)
    except MalformedLine as fault:
        return str(fault)
    return ""


@pytest.mark.parametrize("op", KINDS)
def test_of_every_field_of_an_event(op: str) -> None:
    known = fields(KINDS[op])
    needed = {"op": f'"{op}"'} | {field.encode_name: "1" for field in known if field.required}
    faults = [said_of(decode_event, line(needed | {field.encode_name: value})) for field in known for value in VALUES]
    assert any(faults)
    for fault in filter(None, faults):
        assert not DECODERS.search(fault), fault
        assert re.match(r"[a-z_]+(\[\d+\]|\.[a-z_]+)*: ", fault), fault


@pytest.mark.parametrize("key", ["memoracle", "geometry", "private_frames"])
def test_of_every_field_of_a_header(key: str) -> None:
    faults = [said_of(decode_header, line({"memoracle": "1"} | {key: value})) for value in VALUES]
    assert any(faults)
    for fault in filter(None, faults):
        assert not DECODERS.search(fault), fault
        assert fault.startswith(f"{key}: "), fault


@pytest.mark.parametrize("document", [{"memoracle": 1}, {"op": "frame.allocate", "result": 0}, {"op": "boot"}])
def test_a_document_over_several_lines(document: dict[str, object]) -> None:
    first = json.dumps(document, indent=2).splitlines(keepends=True)[0].encode()
    for read in (decode_event, decode_header):
        with pytest.raises(MalformedLine, match="one event a line is expected"):
            read(first)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'{"op": "frame.is_free", "address": 0, "result": 1}', "result: true or false was expected, not an integer"),
        (b'{"op": "frame.free", "address": 0x1000}', '; a hexadecimal number is a string: "0x1000"'),
        (b'{"op": "frame.free", "address": "0x1000", "_note": ":0x10"', "cut short"),
    ],
)
def test_what_was_expected_is_said(text: bytes, words: str) -> None:
    said = said_of(decode_event, text)
    assert words in said
    assert ("hexadecimal" in said) == ("hexadecimal" in words)
