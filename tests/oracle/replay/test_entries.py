from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

LEVELS = ("safe", "legal", "exact")
REFUSED = {"error": "refused"}
PAT = 0x0005040600010406  # as the presets have it: from index 0 on WB, WT, WC, UC, WB, WT, WP, UC
RESET = {"preset": "x64-2m", "pat_register": 0x0007040600070406}
NARROW = {"preset": "x64-2m", "physical_address_bits": 36}
FIELDS = {"present": True, "writable": True, "user": False, "leaf": True, "cache": "write-back"}


def op(name: str, **keys: Any) -> dict[str, Any]:
    return {"op": name} | keys


def register(value: int) -> dict[str, Any]:
    return op("pat.register", result=hex(value))


def select(cache: str, low_half: bool = False, **answer: Any) -> dict[str, Any]:
    return op("pat.select", cache=cache, low_half=low_half, **answer)


def kind_of(index: int, **answer: Any) -> dict[str, Any]:
    return op("pat.decode", index=index, **answer)


def encode(physical: int, level: int, value: int | None = None, **changes: Any) -> dict[str, Any]:
    answer = REFUSED if value is None else {"result": hex(value) if value >= 0 else value}
    return op("pte.encode", physical=physical, level=level, **FIELDS | changes, **answer)


def decode(value: int, level: int, physical: int | None = None, **changes: Any) -> dict[str, Any]:
    answer = REFUSED if physical is None else {"result": {"physical": hex(physical)} | FIELDS | changes}
    return op("pte.decode", value=hex(value) if value >= 0 else value, level=level, **answer)


CONFORMS = {
    "the page attribute table": [
        register(PAT),
        *(kind_of(i, result="write-back") for i in (0, 4)),
        *(kind_of(i, result="write-through") for i in (1, 5)),
        kind_of(2, result="write-combining"),
        kind_of(6, result="write-protected"),
        *(kind_of(i, result="uncacheable") for i in (3, 7)),
        select("write-back", result=0),
        select("write-back", low_half=True, result=0),
        select("write-protected", result=6),
        select("uncacheable", low_half=True, result=3),
    ],
    "no index serves": [
        select("uncached", **REFUSED),
        select("write-protected", low_half=True, **REFUSED),
        kind_of(8, **REFUSED),
        kind_of(-1, **REFUSED),
    ],
    "leaves": [
        encode(0x7FFF000, 1, 0x7FFF003),
        encode(0x40000000, 2, 0x40000083),
        encode(0x40000000, 3, 0x40000087, user=True),
        encode(0x7FFF000, 1, 0x7FFF001, writable=False),
        encode(0x7FFF000, 1, 0x7FFF002, present=False),
        encode((1 << 52) - 0x1000, 1, (1 << 52) - 0x1000 | 3),
    ],
    "memory types": [
        encode(0x200000, 1, 0x20000B, cache="write-through"),
        encode(0x200000, 1, 0x200013, cache="write-combining"),
        encode(0x200000, 1, 0x20001B, cache="uncacheable"),
        encode(0x200000, 1, 0x200093, cache="write-protected"),
        encode(0x200000, 2, 0x201093, cache="write-protected"),
        encode(0, 3, 0x1093, cache="write-protected"),
        encode(0x1000, 2, 0x1013, leaf=False, cache="write-combining"),
    ],
    "links": [encode(0x1000, level, 0x1007, leaf=False, user=True) for level in (2, 3, 4)],
    "what cannot be encoded": [
        encode(0x7FFF001, 1),
        encode(0x7FFF000, 2),
        encode(0x200000, 3),
        encode(0x1001, 4, leaf=False),
        encode(1 << 52, 1),
        encode(-0x1000, 1),
        encode(0, 4),
        encode(0, 0),
        encode(0, 5),
        encode(0, 5, leaf=False),
        encode(0x1000, 1, leaf=False),
        encode(0x1000, 1, cache="uncached"),
        encode(0x1000, 2, leaf=False, cache="write-protected"),
    ],
    "entries are decoded": [
        decode(0x7FFF003, 1, 0x7FFF000),
        decode(0x40000083, 2, 0x40000000),
        decode(0x40000087, 3, 0x40000000, user=True),
        decode(0x1007, 4, 0x1000, leaf=False, user=True),
        decode(0x201093, 2, 0x200000, cache="write-protected"),
        decode(0x200093, 1, 0x200000, cache="write-protected"),
        decode(0x8000000007FFF163, 1, 0x7FFF000),  # accessed, dirty, global, not executable
        decode(0, 2, 0, present=False, writable=False, leaf=False),
        decode(0x7FF0000007FFF003, 1, 0x7FFF000),  # ignored, or a protection key
    ],
    "what cannot be decoded": [
        decode(0x83, 4),
        decode(0x2083, 2),
        decode(0x200083, 3),
        decode(0x3, 0),
        decode(0x3, 5),
        decode(1 << 64, 1),
        decode(-1, 1),
    ],
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("events", CONFORMS.values(), ids=CONFORMS.keys())
def test_conforms(check: Callable[..., Any], events: list[dict[str, Any]], level: str) -> None:
    report = check(events, "--level", level)
    assert (report.status, report.broken, report.document["events"]) == (0, [], len(events))


# What an implementation must not do, by the clause that it breaks.
SEEDED = {
    "pat.reads-the-register": register(PAT ^ 1),
    "pat.index-is-allowed": select("write-protected", low_half=True, result=6),
    "pat.index-has-the-type": select("write-protected", result=5),
    "pat.select.must-succeed": select("write-protected", **REFUSED),
    "pat.register.must-succeed": op("pat.register", **REFUSED),
    "pat.index-exists": kind_of(8, result="write-back"),
    "pat.tells-the-type": kind_of(2, result="write-back"),
    "pat.decode.must-succeed": kind_of(7, **REFUSED),
    "pte.level-exists": encode(0x1000, 5, 0x1003),
    "pte.leaf-is-possible": encode(0, 4, 0x83),
    "pte.physical-is-aligned": encode(0x1000, 2, 0x1083),
    "pte.physical-is-addressable": encode(1 << 52, 1, 1 << 52 | 3),
    "pte.type-is-available": encode(0x1000, 2, 0x1003, leaf=False, cache="write-protected"),
    "pte.value-is-an-entry": encode(0x1000, 1, 1 << 64 | 0x1003),
    "pte.address-is-read": encode(0x1000, 1, 0x2003),
    "pte.present-is-read": encode(0x1000, 1, 0x1002),
    "pte.writable-is-read": encode(0x1000, 1, 0x1001),
    "pte.user-is-read": encode(0x1000, 1, 0x1007),
    "pte.leaf-is-read-as-asked": encode(0x200000, 2, 0x200003),
    "pte.type-is-read": encode(0x200000, 2, 0x20008B),
    "pte.encodes-no-reserved-bit": encode(0x200000, 2, 0x202083),
    "pte.no-other-bit-is-set": encode(0x1000, 1, 0x8000000000001003),
    "pte.encode.must-succeed": encode(0x1000, 4, leaf=False),
    "pte.no-reserved-bit-is-set": decode(0x2083, 2, 0),
    "pte.leaf-is-read": decode(0x1003, 1, 0x1000, leaf=False),
    "pte.decode.must-succeed": decode(0x8000000000001003, 1),
}


@pytest.mark.parametrize(("clause", "event"), SEEDED.items(), ids=SEEDED.keys())
def test_seeded_errors_are_found(check: Callable[..., Any], clause: str, event: dict[str, Any]) -> None:
    good = register(PAT)
    for level in ("legal", "exact"):
        report = check([good, event, good], "--level", level, "--keep-going")
        assert (report.status, report.broken) == (1, [(3, clause)])
        found = report.document["divergences"][0]
        assert found["legal"]
        assert found["message"]
    assert check([good, event], "--level", "safe").status == 0


DECODED = {
    "pte.address-is-read": decode(0x201083, 2, 0x201000),
    "pte.present-is-read": decode(0x1002, 1, 0x1000),
    "pte.writable-is-read": decode(0x1001, 1, 0x1000),
    "pte.user-is-read": decode(0x1007, 1, 0x1000),
    "pte.leaf-is-read": decode(0x1003, 4, 0x1000),
    "pte.type-is-read": decode(0x1093, 1, 0x1000),
    "pte.value-is-an-entry": decode(1 << 64 | 0x1003, 1, 0x1000),
    "pte.level-exists": decode(0x1003, 0, 0x1000),
    "pte.no-reserved-bit-is-set": decode(0x83, 4, 0),
}


@pytest.mark.parametrize(("clause", "event"), DECODED.items(), ids=DECODED.keys())
def test_entries_read_wrongly_are_found(check: Callable[..., Any], clause: str, event: dict[str, Any]) -> None:
    assert check([event]).broken == [(2, clause)]


# What the law leaves open, and the reference does not.
OPEN = {
    "another index": (select("write-back", result=4), "pat.select.policy"),
    "another entry": (encode(0x1000, 1, 0x1083), "pte.encode.policy"),
    "a large leaf by another index": (encode(0x200000, 2, 0x201083), "pte.encode.policy"),
    "a leaf, though none was asked for": (encode(0x1000, 1, 0x1003, leaf=False), "pte.encode.policy"),
    "one by another index": (encode(0x1000, 1, 0x1083, leaf=False), "pte.encode.policy"),
    "a reserved bit that is not looked at": (
        decode(0x2082, 2, 0, present=False),
        "pte.decode.policy",
    ),
}


@pytest.mark.parametrize(("event", "clause"), OPEN.values(), ids=OPEN.keys())
def test_exact_leaves_nothing_open(check: Callable[..., Any], event: dict[str, Any], clause: str) -> None:
    assert check([event]).status == 0
    report = check([event], "--level", "exact")
    assert (report.status, report.broken) == (1, [(2, clause)])


def test_refusing_what_the_processor_ignores_is_the_reference_too(check: Callable[..., Any]) -> None:
    for level in LEVELS:
        assert check([decode(0x2082, 2)], "--level", level).status == 0


def test_the_geometry_says_how_entries_are_read(check: Callable[..., Any]) -> None:
    reset = [select("uncached", result=2), encode(0x1000, 1, 0x1013, cache="uncached"), kind_of(2, result="uncached")]
    assert check(reset, geometry=RESET).status == 0
    narrow = [encode(1 << 36, 1), decode(1 << 36 | 3, 1), decode(1 << 35 | 3, 1, 1 << 35)]
    assert check(narrow, geometry=NARROW).status == 0
    assert check([decode(1 << 36 | 3, 1, 1 << 36)], geometry=NARROW).broken == [(2, "pte.no-reserved-bit-is-set")]
    assert check([encode(1 << 36, 1, 1 << 36 | 3)], geometry=NARROW).broken == [(2, "pte.physical-is-addressable")]


def test_the_report_names_every_legal_answer(check: Callable[..., Any]) -> None:
    found = check([encode(0x200000, 2, 0x20009B)]).document["divergences"][0]
    assert found["legal"] == "0x200083 or 0x201083"
    assert "uncacheable" in found["message"]
    assert "write-back" in found["message"]
    exact = check([encode(0x200000, 2, 0x20009B)], "--level", "exact").document["divergences"][0]
    assert exact["legal"] == "0x200083"
    found = check([select("uncached", result=3)]).document["divergences"][0]
    assert (found["legal"], found["clause"]) == ("only a refusal", "pat.index-has-the-type")


BROKEN = {
    "a memory type of no name": ('{"op": "pat.select", "cache": "warm", "low_half": false, "result": 0}', "cache: "),
    "a memory type by its number": ('{"op": "pat.decode", "index": 0, "result": 6}', "result: "),
    "an answer of no name": ('{"op": "pat.decode", "index": 0, "result": "warm"}', "result: "),
    "no lower half": ('{"op": "pat.select", "cache": "uncached", "result": 0}', "low_half: missing"),
    "half an entry": ('{"op": "pte.decode", "value": 0, "level": 1, "result": {"physical": 0}}', "result."),
    "number for a truth": (
        '{"op": "pte.encode", "physical": 0, "present": 1, "writable": true, "user": true, "leaf": true, '
        '"cache": "write-back", "level": 1, "result": 3}',
        "present: ",
    ),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("line", "field"), BROKEN.values(), ids=BROKEN.keys())
def test_ill_typed_arguments(check: Callable[..., Any], line: str, field: str, level: str) -> None:
    report = check([line], "--level", level)
    assert report.status == 2
    assert f"trace.jsonl:2: {field}" in report.errors
