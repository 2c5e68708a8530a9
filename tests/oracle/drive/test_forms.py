"""Bindings reach what real allocators look like: each form of a call, a result, a failure, a start, a callback."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from forms_binding import ALLOCATE, FREE, STATUS, binding, driven

from memoracle.drive.binding_file import load_binding
from memoracle.drive.library import Library
from memoracle.drive.native.panics import WHICH

POINTER = (
    "void *by_pointer(void); int free_pointer(void *frame);",
    'call = "by_pointer()"\nfails = "value == NULL"\nresult = "value"',
    'call = "free_pointer(address)"\nfails = "value == -1"',
)
NUMBER = (
    "uint32_t by_number(void); _Bool free_number(uint64_t frame);",
    'call = "by_number()"\nfails = "value == 0"\nresult = "value * page_size"',
    'call = "free_number(address // page_size if address % page_size == 0 else 0)"\nfails = "not value"',
)
STRUCTURE = (
    "struct found { int ok; void *address; }; struct found by_structure(void); int free_status(uint64_t at);",
    'call = "by_structure()"\nfails = "not value.ok"\nresult = "value.address"',
    'call = "free_status(address)"\nfails = "value != 0"',
)
STORED_STRUCTURE = (
    "struct found { int ok; void *address; }; int in_structure(struct found *at); int free_status(uint64_t at);",
    'call = "in_structure(out)"\nfails = "out.ok == 0"\nresult = "out.address"',
    'call = "free_status(address)"\nfails = "value != 0"',
)
ERRNO = (
    "long by_errno(void); int free_status(uint64_t at);",
    'call = "by_errno()"\nfails = "errno != 0"\nresult = "value * page_size"',
    'call = "free_status(address)"\nfails = "value != 0"',
)
VARIABLE = (
    "int last_error; long by_variable(void); int free_status(uint64_t at);",
    'call = "by_variable()"\nfails = "last_error != 0"\nresult = "value << log2(page_size)"',
    'call = "free_status(address)"\nfails = "value != 0"',
)
PANIC = (
    "uint64_t or_panic(void); void free_or_abort(uint64_t address);",
    'call = "or_panic()"\nresult = "value"\npanic = "refuse"',
    'call = "free_or_abort(address)"\npanic = "refuse"',
)
IGNORING = (
    "long by_errno(void); void free_ignoring(uint64_t address);",
    'call = "by_errno()"\nfails = "value < 0"\nresult = "value * page_size"',
    'call = "free_ignoring(address)"\nmisuse = "ignore"',
)


@pytest.mark.parametrize(
    "form", [POINTER, NUMBER, STATUS, STRUCTURE, STORED_STRUCTURE, ERRNO, VARIABLE, PANIC, IGNORING]
)
def test_each_form_of_a_result_and_of_a_failure(
    capsys: pytest.CaptureFixture[str], folder: Path, form: tuple[str, str, str]
) -> None:
    declared, allocate, free = form
    given = 'panics = ["panic", "abort"]' if form is PANIC else ""
    path = binding(folder, f"{ALLOCATE}{allocate}\n{FREE}{free}", declared, given)
    status, document = driven(capsys, path)
    assert (status, document.get("verdict")) == (0, "conforms"), document
    operations = document["coverage"]["operations"]
    assert operations["frame.allocate"]["failed"] > 0
    assert (operations["frame.free"]["failed"] > 0) == (form is not IGNORING)
    assert "bitmap.frees-only-allocated" not in document["coverage"]["untested"].get("frame.free", [])


def test_a_failure_that_the_binding_does_not_see_is_a_result(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    declared, allocate, _ = NUMBER
    wrong = allocate.replace("value == 0", "value == 77")
    path = binding(folder, f"{ALLOCATE}{wrong}", f"{declared} long frames;", 'start = ["frames = 5"]', frames=5)
    _, document = driven(capsys, path, ops=9)
    assert document["trace"][-1] == '{"op":"frame.allocate","result":"0x0"}'


def test_a_panic_is_a_crash_where_it_is_no_refusal(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    declared, allocate, _ = PANIC
    operations = ALLOCATE + allocate.replace('panic = "refuse"', "")
    given = 'panics = ["panic"]\nstart = ["frames = 5"]'
    status, document = driven(capsys, binding(folder, operations, f"{declared} long frames;", given, frames=5), ops=9)
    assert status == 1
    assert "panic: out of frames" in document["trace"][-1]


def test_where_panics_cannot_be_caught_they_end_the_process(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    declared, allocate, _ = PANIC
    given = 'panics = ["panic"]\nstart = ["frames = 5"]'
    path = binding(folder, ALLOCATE + allocate, f"{declared} long frames;", given, frames=5)
    status, document = driven(capsys, path, ops=9)
    words = (
        "operations.frame.allocate.panic: a panic cannot be caught: this is done on x86_64 only, and this machine is"
    )
    assert (status, words in document["message"]) == (2, True), document
    path.write_text(path.read_text().replace('panic = "refuse"', ""))
    status, document = driven(capsys, path, ops=9)
    assert (status, "signal 6 (SIGABRT)" in document["trace"][-1]) == (1, True), document


QUESTIONS = """
[operations."frame.is_free"]
call = "is_taken(address // page_size)"
result = "value == 0 and address // page_size != 0"

[operations."frame.free_count"]
call = "count_free()"
result = "value"
"""


def test_answers_are_booleans_and_counts(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    declared, allocate, free = STATUS
    more = f"{declared} uint64_t count_free(void); int is_taken(uint64_t frame);"
    status, document = driven(capsys, binding(folder, f"{ALLOCATE}{allocate}\n{FREE}{free}\n{QUESTIONS}", more))
    assert (status, document["divergences"]) == (0, [])
    assert {"frame.is_free", "frame.free_count"} <= document["coverage"]["operations"].keys()


TAGGED = (
    "uint64_t take_tagged(void *context, int zone, unsigned flags, uint64_t alignment_order);"
    "int free_tagged(uint64_t address, uint64_t alignment_order, int zone, uint64_t returned);",
    'call = "take_tagged(NULL, zone, flags, log2(alignment / page_size))"\nfails = "value == 0"\nresult = "value"',
    'call = "free_tagged(address, log2(alignment / page_size), zone, returned)"\nfails = "value != 0"',
)
ZONES = """
frame_allocator = "runs"
zones = [{name = "low", start = 0, bytes = 0x10000}, {name = "high", start = 0x10000, bytes = 0x10000}]
"""


@pytest.mark.parametrize("order", ["log2(alignment / page_size)", "log2(old_alignment) - 12", "0"])
def test_a_free_is_given_what_the_allocation_was_asked_for(
    capsys: pytest.CaptureFixture[str], folder: Path, order: str
) -> None:
    declared, allocate, free = TAGGED
    free = free.replace("log2(alignment / page_size)", order)
    given = "constants = {flags = 3}\nzones = {low = 0, high = 1}"
    path = binding(folder, f"{ALLOCATE}{allocate}\n{FREE}{free}", declared, given, ZONES)
    status, document = driven(capsys, path, ops=200)
    assert status == (order == "0")
    if status:
        assert "SIGABRT" in document["trace"][-1]


@pytest.mark.parametrize("fails", ["value == 0", "value == 0 or errno == 77"])
def test_a_value_of_an_event_is_one_in_its_call_alone(folder: Path, fails: str) -> None:
    """`pml4.write` has an argument of that name; both of the ways in which calls are made tell it from a result."""
    declared = "int by_value(uint64_t given);"
    path = binding(folder, f'[operations."pml4.write"]\ncall = "by_value(value)"\nfails = "{fails}"\n', declared)
    target = Library(load_binding(str(path)))
    child = os.fork()
    if child == 0:
        target.start()
        events: list[dict[str, int]] = [{"process": 0, "index": 0, "value": value} for value in (0, 7)]
        answers = [target.call("pml4.write", each).error for each in events]
        os._exit(0 if answers == [None, "refused"] else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_zone_without_a_number_is_said(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    path = binding(folder, f"{ALLOCATE}{TAGGED[1]}", TAGGED[0], "constants = {flags = 3}\nzones = {low = 0}", ZONES)
    status, document = driven(capsys, path, ops=60)
    assert (status, "zones: 'high' has no number" in document["message"]) == (2, True), document


def test_a_panic_that_cannot_be_caught_is_said(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    path = binding(folder, f"{ALLOCATE}{POINTER[1]}", POINTER[0], 'panics = ["take_sourced"]')
    status, document = driven(capsys, path)
    assert (status, "panics[0]: the library calls its own take_sourced" in document["message"]) == (2, True)


def test_what_a_type_does_not_hold_is_not_asked(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    allocate, free = STATUS[1], 'call = "free_status(address << 60)"\nfails = "value != 0"'
    status, document = driven(capsys, binding(folder, f"{ALLOCATE}{allocate}\n{FREE}{free}", STATUS[0]), ops=20)
    assert (status, document["divergences"]) == (0, [])
    addresses = [json.loads(line)["address"] for line in document["trace"] if "frame.free" in line]
    assert all(address << 60 < 1 << 64 for address in addresses)


def test_a_panic_is_that_of_its_own_process(folder: Path) -> None:
    path = binding(folder, f"{ALLOCATE}{PANIC[1]}", PANIC[0], 'panics = ["panic"]')
    target = Library(load_binding(str(path)))
    child = os.fork()
    if child == 0:
        target.start()
        panics = target.loaded.panics
        grandchild = os.fork() if panics is not None else 0
        if panics is not None and grandchild == 0:
            panics.words[WHICH // 8] = 1
            os._exit(0)
        os.waitpid(grandchild, 0)
        os._exit(0 if panics is not None and panics.said() is None else 1)
    assert os.waitpid(child, 0)[1] == 0
