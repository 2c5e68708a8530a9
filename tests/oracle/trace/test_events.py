from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from memoracle.trace.decoding import EVENT, MalformedLine, UnknownOperation, decode_event, decode_header
from memoracle.trace.events import OPERATIONS
from memoracle.trace.numbers import BadNumber, number

GOOD = '{"op": "frame.free", "address": 4194304}'
NO_NUMBER = 'neither an integer nor a string "0x..."'

BROKEN = {
    "no JSON": ("{", "the line is cut short: one event a line is expected"),
    "crash is null": ('{"op": "frame.allocate", "crash": null}', "crash: a string was expected, not null"),
    "crash is a number": ('{"op": "frame.allocate", "crash": 1.5}', "crash: a string was expected, not a fraction"),
    "huge number": (
        '{"op": "frame.free", "address": 1e400}',
        'address: the number is too large: an integer of 64 bits, or a string "0x...", is expected',
    ),
    "nothing": ("", "the line is empty"),
    "blanks": (" \t", "the line is empty"),
    "array": ("[1]", "not a JSON object, as headers and events are: '[1]'"),
    "line of a console": ("[    0.1] panic", "not a JSON object, as headers and events are: '[    0.1] panic'"),
    "string": ('"op"', "not a JSON object"),
    "long line of a console": ("x" * 1000, f"'{'x' * 60}...'"),
    "header": ('{"memoracle": 1}', "the trace starts again at line 3: one trace a file, or --split"),
    "more than an object": (GOOD + " x", "trailing characters"),
    "nested without end": ('{"op": "boot", "memory_map": ' + "[" * 100_000 + "}", "nested too deeply"),
    "no operation": ('{"address": 5}', "op: missing"),
    "operation is no string": ('{"op": 5}', "op: a string was expected, not an integer"),
    "unknown operation": ('{"op": "frame.fly"}', "op: unknown operation 'frame.fly'"),
    "mistyped operation": ('{"op": "frame.fre"}', "op: unknown operation 'frame.fre'; near it: frame.free"),
    "missing argument": ('{"op": "frame.free"}', "address: missing"),
    "unknown key": (
        '{"op": "frame.free", "address": 5, "cpu": 1}',
        "cpu: unknown key; `frame.free` has op, address, count, order, crash, error, result",
    ),
    "process of an operation that has none": (
        '{"op": "frame.allocate", "process": 0, "result": 0}',
        "process: the operation is of no process; `frame.allocate` has op, alignment, below, count, from, order, zone, "
        "crash, error, result",
    ),
    "null argument": ('{"op": "frame.free", "address": null}', "address: "),
    "process is null": ('{"op": "process.exit", "process": null}', "process: "),
    "float": (
        '{"op": "frame.free", "address": 5.0}',
        'address: an integer or a string "0x..." was expected, not a fraction',
    ),
    "entry of a list": (
        '{"op": "range.list", "result": [[0, 1]]}',
        "result[0]: an array of 3 values was expected",
    ),
    "truth for a number": ('{"op": "frame.free", "address": true}', "address: "),
    "number for a truth": ('{"op": "frame.is_free", "address": 5, "result": 1}', "result: "),
    "no result": ('{"op": "frame.allocate"}', "result: absent or null"),
    "null result": ('{"op": "frame.allocate", "result": null}', "result: absent or null"),
    "both": ('{"op": "frame.allocate", "result": 5, "error": "x"}', "result: given beside an `error`"),
    "result of an action": ('{"op": "frame.free", "address": 5, "result": 5}', "result: "),
    "null error": ('{"op": "frame.free", "address": 5, "error": null}', "error: "),
    "error is no text": ('{"op": "frame.free", "address": 5, "error": 5}', "error: "),
    "memory type of no name": (
        '{"op": "page.map", "virtual": 0, "physical": 0, "cache": "warm"}',
        "cache: a memory type was expected: one of uncacheable, write-combining, ",
    ),
    "memory type by its number": ('{"op": "page.map", "virtual": 0, "physical": 0, "cache": 6}', "cache: "),
    "translation beside an error": (
        '{"op": "page.translate", "virtual": 0, "result": 0, "error": "x"}',
        "result: given beside an `error`",
    ),
    "attributes that are not all": (
        '{"op": "page.attributes", "virtual": 0, "result": {"cache": "uncached", "writable": true, "user": true, '
        '"executable": true}}',
        "result.global: missing",
    ),
    "attributes with more": (
        '{"op": "page.attributes", "virtual": 0, "result": {"cache": "uncached", "writable": true, "user": true, '
        '"executable": true, "global": true, "dirty": true}}',
        "result.dirty: unknown key; there it has cache, executable, global, user, writable",
    ),
    "frames are null": ('{"op": "kernel_pages.allocate", "pages": 1, "frames": null, "result": 0}', "frames: "),
    "record without a type": (
        '{"op": "boot", "memory_map": [{"start": 0, "length": 5}]}',
        "memory_map[0].type: missing",
    ),
    "record with more": (
        '{"op": "boot", "memory_map": [{"start": 0, "length": 5, "type": 1, "name": "RAM"}]}',
        "memory_map[0].name: unknown key; there it has length, start, type",
    ),
    "block of two": ('{"op": "range.list", "result": [[0, 1]]}', "result[0]: "),
}
SURROGATES = {
    "high": ("\\ud800", "\\ud800"),
    "low": ("x\\uDC00", "\\uDC00"),
    "high at the end": ("\\ud83d\\ude00\\ud83d", "\\ud83d"),
    "two high": ("\\ud801\\ud800\\udc00", "\\ud801"),
    "low first": ("\\udc01\\ud800", "\\udc01"),
    "between letters": ("a\\ud802b", "\\ud802"),
    "after a bar": ("\\\\\\ud803", "\\ud803"),
}
BROKEN |= {
    f"half of a pair, {name}": (
        f'{{"op": "frame.free", "address": 0, "error": "{text}"}}',
        f"`{half}` is half of a pair, and no character by itself",
    )
    for name, (text, half) in SURROGATES.items()
}
FIELDS = '"present": true, "writable": true, "user": true, "leaf": true, "cache": "write-back"'
ENCODE = f'{{"op": "pte.encode", "physical": %s, {FIELDS}, "level": %s, "result": %s}}'
DECODE = f'{{"op": "pte.decode", "value": %s, "level": %s, "result": {{"physical": %s, {FIELDS}}}}}'
# Where a string is no number, by the operation and the field.
BAD_NUMBERS = {
    "frame.allocate": ('{"op": "frame.allocate", "result": %s}', "result"),
    "frame.free": ('{"op": "frame.free", "address": %s}', "address"),
    "frame.free refused": ('{"op": "frame.free", "address": %s, "error": "x"}', "address"),
    "frame.get": ('{"op": "frame.get", "address": %s}', "address"),
    "frame.put": ('{"op": "frame.put", "address": %s, "release": true}', "address"),
    "frame.reserve address": ('{"op": "frame.reserve", "address": %s, "count": 1}', "address"),
    "frame.reserve count": ('{"op": "frame.reserve", "address": 0, "count": %s}', "count"),
    "memory.add start": ('{"op": "memory.add", "start": %s, "length": 0}', "start"),
    "memory.add length": ('{"op": "memory.add", "start": 0, "length": %s}', "length"),
    "frame.is_free": ('{"op": "frame.is_free", "address": %s, "result": true}', "address"),
    "frame.free_count": ('{"op": "frame.free_count", "result": %s}', "result"),
    "process.create": ('{"op": "process.create", "result": %s}', "result"),
    "process.exit": ('{"op": "process.exit", "process": %s}', "process"),
    "range.allocate process": ('{"op": "range.allocate", "process": %s, "pages": 1, "result": 0}', "process"),
    "range.allocate pages": ('{"op": "range.allocate", "pages": %s, "error": "x"}', "pages"),
    "range.allocate result": ('{"op": "range.allocate", "pages": 1, "result": %s}', "result"),
    "range.reserve process": ('{"op": "range.reserve", "process": %s, "address": 0, "pages": 1}', "process"),
    "range.reserve address": ('{"op": "range.reserve", "address": %s, "pages": 1}', "address"),
    "range.reserve pages": ('{"op": "range.reserve", "process": 5, "address": 0, "pages": %s}', "pages"),
    "range.free process": ('{"op": "range.free", "process": %s, "address": 0, "pages": 1}', "process"),
    "range.free address": ('{"op": "range.free", "address": %s, "pages": 1}', "address"),
    "range.free pages": ('{"op": "range.free", "address": 0, "pages": %s, "error": "x"}', "pages"),
    "range.size process": ('{"op": "range.size", "process": %s, "address": 0, "result": 0}', "process"),
    "range.size address": ('{"op": "range.size", "address": %s, "result": 0}', "address"),
    "range.size result": ('{"op": "range.size", "address": 0, "result": %s}', "result"),
    "range.list process": ('{"op": "range.list", "process": %s, "error": "x"}', "process"),
    "range.list address": ('{"op": "range.list", "result": [[0, 1, true], [%s, 1, true]]}', "result[1][0]"),
    "range.list pages": ('{"op": "range.list", "process": 5, "result": [[0, %s, true]]}', "result[0][1]"),
    "page.map process": ('{"op": "page.map", "process": %s, "virtual": 0, "physical": 0, "error": "x"}', "process"),
    "page.map virtual": ('{"op": "page.map", "virtual": %s, "physical": 0}', "virtual"),
    "page.map physical": ('{"op": "page.map", "virtual": 0, "physical": %s}', "physical"),
    "page.unmap process": ('{"op": "page.unmap", "process": %s, "virtual": 0}', "process"),
    "page.unmap virtual": ('{"op": "page.unmap", "virtual": %s, "error": "x"}', "virtual"),
    "page.translate process": ('{"op": "page.translate", "process": %s, "virtual": 0}', "process"),
    "page.translate virtual": ('{"op": "page.translate", "virtual": %s}', "virtual"),
    "page.translate result": ('{"op": "page.translate", "virtual": 0, "result": %s}', "result"),
    "page.attributes process": ('{"op": "page.attributes", "process": %s, "virtual": 0}', "process"),
    "page.attributes virtual": ('{"op": "page.attributes", "virtual": %s}', "virtual"),
    "kernel_pages.allocate pages": ('{"op": "kernel_pages.allocate", "pages": %s, "error": "x"}', "pages"),
    "kernel_pages.allocate result": ('{"op": "kernel_pages.allocate", "pages": 1, "result": %s}', "result"),
    "kernel_pages.allocate frames": (
        '{"op": "kernel_pages.allocate", "pages": 2, "frames": [0, %s], "result": 0}',
        "frames[1]",
    ),
    "kernel_pages.free address": ('{"op": "kernel_pages.free", "address": %s, "pages": 1}', "address"),
    "kernel_pages.free pages": ('{"op": "kernel_pages.free", "address": 0, "pages": %s}', "pages"),
    "heap.new bytes": ('{"op": "heap.new", "bytes": %s, "error": "x"}', "bytes"),
    "heap.new result": ('{"op": "heap.new", "bytes": 1, "result": %s}', "result"),
    "heap.new alignment": ('{"op": "heap.new", "bytes": 1, "alignment": %s, "error": "x"}', "alignment"),
    "heap.resize address": ('{"op": "heap.resize", "address": %s, "bytes": 1, "error": "x"}', "address"),
    "heap.resize bytes": ('{"op": "heap.resize", "address": 0, "bytes": %s, "error": "x"}', "bytes"),
    "heap.resize alignment": (
        '{"op": "heap.resize", "address": 0, "bytes": 1, "alignment": %s, "error": "x"}',
        "alignment",
    ),
    "heap.resize result": ('{"op": "heap.resize", "address": 0, "bytes": 1, "result": %s}', "result"),
    "heap.delete address": ('{"op": "heap.delete", "address": %s}', "address"),
    "pml4.write process": ('{"op": "pml4.write", "process": %s, "index": 0, "value": 0}', "process"),
    "pml4.write index": ('{"op": "pml4.write", "index": %s, "value": 0}', "index"),
    "pml4.write value": ('{"op": "pml4.write", "index": 0, "value": %s, "error": "x"}', "value"),
    "pml4.read process": ('{"op": "pml4.read", "process": %s, "index": 0, "result": 0}', "process"),
    "pml4.read index": ('{"op": "pml4.read", "index": %s, "result": 0}', "index"),
    "pml4.read result": ('{"op": "pml4.read", "process": 5, "index": 0, "result": %s}', "result"),
    "pml4.dump process": ('{"op": "pml4.dump", "process": %s, "error": "x"}', "process"),
    "pml4.dump result": ('{"op": "pml4.dump", "process": 5, "result": [0, %s]}', "result[1]"),
    "pat.register result": ('{"op": "pat.register", "result": %s}', "result"),
    "pat.select result": ('{"op": "pat.select", "cache": "uncached", "low_half": true, "result": %s}', "result"),
    "pat.decode index": ('{"op": "pat.decode", "index": %s, "result": "uncached"}', "index"),
    "pte.encode physical": (ENCODE % ("%s", 1, 3), "physical"),
    "pte.encode level": (ENCODE % (0, "%s", 3), "level"),
    "pte.encode result": (ENCODE % (0, 1, "%s"), "result"),
    "pte.decode value": (DECODE % ("%s", 1, 0), "value"),
    "pte.decode level": (DECODE % (0, "%s", 0), "level"),
    "pte.decode physical": (DECODE % (0, 1, "%s"), "result.physical"),
    "boot start": ('{"op": "boot", "memory_map": [{"start": %s, "length": 1, "type": 1}]}', "memory_map[0].start"),
    "boot length": ('{"op": "boot", "memory_map": [{"start": 0, "length": %s, "type": 1}]}', "memory_map[0].length"),
    "boot type": ('{"op": "boot", "memory_map": [{"start": 0, "length": 1, "type": %s}]}', "memory_map[0].type"),
}
SPELT_WRONG = ["", "12", "0x", "0X1", "0xg", "0x1_0", " 0x1", "0x1\n", "-0x1", "0x\N{FULLWIDTH DIGIT ONE}"]
HEADERS = {
    "none": (GOOD, "no header"),
    "no JSON": ("hello", "neither a trace"),
    "JSON cut short": ('{"memoracle": 1', "cut short"),
    "another version": ('{"memoracle": 2}', "memoracle: trace format 2 is not known"),
    "version is no number": ('{"memoracle": "1"}', "memoracle: "),
    "unknown key": ('{"memoracle": 1, "machine": "x"}', "machine: unknown key"),
    "private_frames is no truth": ('{"memoracle": 1, "private_frames": 1}', "private_frames: "),
    "geometry is no name and no object": ('{"memoracle": 1, "geometry": 5}', "geometry: "),
    "unknown preset": ('{"memoracle": 1, "geometry": "z80"}', "geometry: preset: "),
    "unknown key of a geometry": ('{"memoracle": 1, "geometry": {"colour": 1}}', "geometry: colour: unknown key"),
    "impossible geometry": ('{"memoracle": 1, "geometry": {"frames": 0}}', "geometry: frames: "),
}


@pytest.mark.parametrize("level", ["safe", "legal", "exact"])
@pytest.mark.parametrize(("line", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_line(check: Callable[..., Any], line: str, message: str, level: str) -> None:
    report = check([GOOD.replace("}", ', "error": "x"}'), line, GOOD], "--level", level, private_frames=True)
    assert (report.status, report.document["verdict"], report.document["events"]) == (2, "unknown", 1)
    assert "trace.jsonl:3: " in report.errors
    assert message in report.errors


@pytest.mark.parametrize("text", SPELT_WRONG)
def test_string_that_is_no_number(text: str) -> None:
    with pytest.raises(BadNumber):
        number(text)


@pytest.mark.parametrize("level", ["safe", "legal", "exact"])
@pytest.mark.parametrize(("line", "field"), BAD_NUMBERS.values(), ids=BAD_NUMBERS.keys())
def test_bad_number_is_told_by_line_and_field(check: Callable[..., Any], line: str, field: str, level: str) -> None:
    report = check([line % '"zz"'], "--level", level)
    assert report.status == 2
    assert f"trace.jsonl:2: {field}: {NO_NUMBER}" in report.errors


@pytest.mark.parametrize(("line", "field"), BAD_NUMBERS.values(), ids=BAD_NUMBERS.keys())
def test_same_number_in_hexadecimal(check: Callable[..., Any], line: str, field: str) -> None:
    runs = [check([line % text], "--level", "safe") for text in ("10", '"0xa"', '"0x000A"')]
    assert [run.status for run in runs] != [2, 2, 2]
    assert len({(run.status, tuple(run.broken)) for run in runs}) == 1


def test_every_operation_has_its_bad_numbers() -> None:
    assert {name.split()[0] for name in BAD_NUMBERS} == OPERATIONS


@pytest.mark.parametrize(("line", "message"), HEADERS.values(), ids=HEADERS.keys())
def test_broken_header(run_lines: Callable[..., Any], line: str, message: str) -> None:
    report = run_lines([line, GOOD])
    assert (report.status, report.document["events"]) == (2, 0)
    assert "trace.jsonl:1: " in report.errors
    assert message in report.errors


def test_header_alone_is_enough() -> None:
    assert decode_header(b'{"memoracle": 1, "_recorder": "x"}').memoracle == 1


@pytest.mark.parametrize("key", ["_cpu", "\\u005fcpu", "_", "__"])
def test_keys_of_the_recorder_are_ignored(key: str) -> None:
    line = GOOD.replace("}", f', "{key}": {{"a": [null]}}}}').encode()
    assert decode_event(line) == EVENT.decode(GOOD.encode())


def test_lines_with_and_without_keys_of_the_recorder_mix(check: Callable[..., Any]) -> None:
    count = {"op": "frame.free_count", "result": 14}
    events = [count, count | {"_cpu": 1}, count, {"op": "frame.fly"}, count | {"_cpu": 1, "result": 13}]
    assert check(events).status == 2
    report = check(events, "--ignore-unknown")
    assert (report.broken, report.document["events"]) == ([(6, "bitmap.tells-the-count")], 5)


def test_keys_of_the_recorder_do_not_hide_a_fault() -> None:
    with pytest.raises(MalformedLine, match="cpu: unknown key"):
        decode_event(GOOD.replace("}", ', "_a": 1, "cpu": 2}').encode())


def test_bytes_that_are_no_utf8() -> None:
    with pytest.raises(MalformedLine, match="not UTF-8"):
        decode_event(b'{"op": "frame.free", "address": 5, "error": "\xff"}')


def test_number_beyond_all_floats_is_told(check: Callable[..., Any]) -> None:
    report = check(['{"op": "frame.free_count", "result": 3, "_time": 1e999}'])
    assert report.status == 2
    assert "trace.jsonl:2: " in report.errors
    assert "internal error" not in report.errors


def test_result_of_nothing_may_be_null(check: Callable[..., Any]) -> None:
    assert check([{"op": "pml4.write", "index": 3, "value": 5, "result": None}]).status == 0
    assert check([{"op": "frame.free", "address": 0, "result": None, "error": "refused"}]).status == 0


@pytest.mark.parametrize("op", ["frame.fly", "pte.encodes", "pte"])
def test_unknown_operations_can_be_skipped(check: Callable[..., Any], op: str) -> None:
    events = [{"op": op, "anything": [1.5]}, {"op": "frame.free_count", "result": 14}, {"op": op}]
    assert check(events).status == 2
    report = check(events, "--ignore-unknown")
    assert (report.status, report.document["events"]) == (0, 3)
    assert report.document["warnings"][0].endswith(f"trace.jsonl: skipped 2 events of the unknown operation {op!r}")
    with pytest.raises(UnknownOperation):
        decode_event(b'{"op": "%s"}' % op.encode())


def test_nothing_is_checked_if_all_is_skipped(check: Callable[..., Any]) -> None:
    report = check(['{"op": "frame.fly"}'], "--ignore-unknown")
    assert (report.status, report.document["verdict"]) == (4, "nothing")


def test_unknown_operation_must_still_be_an_event(check: Callable[..., Any]) -> None:
    assert check(['{"op": "frame.fly"'], "--ignore-unknown").status == 2
    assert check(['{"op": "frame.free"}'], "--ignore-unknown").status == 2


@pytest.mark.parametrize("text", ["\\ud83d\\ude00", "\\\\ud800", "\\u00e9", "\\\\\\ud83d\\ude00"])
def test_whole_pairs_are_read(text: str) -> None:
    assert decode_event(f'{{"op": "frame.free", "address": 0, "error": "{text}"}}'.encode()).error


def test_an_unknown_operation_of_any_length_is_refused_at_once(check: Callable[..., Any]) -> None:
    report = check([{"op": "frame." + "x" * 500_000}])
    assert report.status == 2
    assert len(report.errors) < 500


@pytest.mark.parametrize("digits", [1001, 4300, 900_000])
@pytest.mark.parametrize(("line", "field"), BAD_NUMBERS.values(), ids=BAD_NUMBERS.keys())
def test_a_number_of_too_many_digits_says_how_many(
    check: Callable[..., Any], line: str, field: str, digits: int
) -> None:
    report = check([line % f'"0x{"f" * digits}"'])
    assert report.status == 2
    assert f"trace.jsonl:2: {field}: a number of {digits:,} hexadecimal digits; one of 64 bits has 16" in report.errors
