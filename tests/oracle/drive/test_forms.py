"""Bindings reach what real allocators look like: each form of a call, a result, a failure, a start, a callback."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from memoracle.cli import main
from memoracle.drive.binding_file import load_binding
from memoracle.drive.library import Library
from memoracle.drive.native.panics import WHICH

ALLOCATE, FREE = '[operations."frame.allocate"]\n', '[operations."frame.free"]\n'


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found, source = tmp_path_factory.mktemp("forms") / "forms.so", Path(__file__).parent / "forms.c"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", source, "-o", found], check=True)
    return found


@pytest.fixture
def folder(library: Path, tmp_path: Path) -> Path:
    (tmp_path / "forms.so").symlink_to(library)
    return tmp_path


def binding(
    folder: Path, operations: str, declared: str, given: str = "", geometry: str = "", calls: str = "", frames: int = 32
) -> Path:
    """Writes one of the library, with what it needs whatever is called. calls: callbacks that are of account."""
    needed = [each for each in ("more_pages", "spin_lock", "kprintf", "entry_of") if each not in calls]
    needed += [] if "panics" in given else ["panic"]
    callbacks = "\n".join([calls, *(f'{each} = "0"' for each in needed)])
    symbols = 'symbols = {image_end = "0x40000"}'
    text = f'library = \'forms.so\'\ndeclarations = """{declared}"""\n{symbols}\n{given}\n[callbacks]\n{callbacks}\n'
    path = folder / "forms.toml"
    path.write_text(
        f'{text}[geometry]\npreset = "x64-4k"\nframes = {frames}\nkernel_image_frames = 1\n{geometry}\n{operations}'
    )
    return path


def driven(
    capsys: pytest.CaptureFixture[str], binding: Path, *options: str, ops: int = 400
) -> tuple[int, dict[str, Any]]:
    command = ["drive", "--format", "json", "--quiet", "--seed", "5", "--ops", str(ops), *options, str(binding)]
    status = main(command)
    found = capsys.readouterr()
    return status, json.loads(found.out) if status != 2 else {"message": found.err}


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
STATUS = (
    "enum status { DONE, NO_MEMORY, NOT_YOURS }; enum status by_status(uint64_t *at); int free_status(uint64_t at);",
    'call = "by_status(out)"\nfails = "value == NO_MEMORY"\nresult = "out"',
    'call = "free_status(address)"\nfails = "value == NOT_YOURS"',
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
    assert document["trace"][-1] == '{"op":"frame.allocate","result":0}'


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


HEAP = """
[operations."heap.new"]
call = "heap_take(alignment, bytes, heap)"
fails = "value == NULL"
result = "value"

[operations."heap.delete"]
call = "heap_give(heap, address, bytes)"

[operations."heap.resize"]
call = "heap_move(heap, address, old_bytes, bytes)"
fails = "value == NULL"
result = "value"
defaults = {alignment = 16}
"""
HEAP_DECLARED = """
struct heap;
size_t heap_sizeof(void);
int heap_init(char *memory, size_t bytes, struct heap *heap);
void *heap_take(size_t alignment, size_t bytes, struct heap *heap);
void heap_give(struct heap *heap, void *block, size_t bytes);
void *heap_move(struct heap *heap, void *block, size_t before, size_t bytes);
"""
HEAP_START = """
memory = {bytes = 0x200000, at = "0x500000000", fill = 0xA5}
private_frames = true
start = [
    "other = storage(heap_sizeof())",
    {call = "heap_init(memory + 0x100000, 0x100000, other)", fails = "value != 0"},
    "heap = storage(heap_sizeof())",
    {call = "heap_init(memory, 0x100000, heap)", fails = "value != 0"},
]
"""


@pytest.mark.parametrize(
    ("fill", "delete", "says"),
    [("0xA5", "bytes", ""), ("0", "bytes", "start[1]: it failed: -1"), ("0xA5", "bytes + 1", "SIGABRT")],
)
def test_a_heap_of_which_a_function_tells_the_size(
    capsys: pytest.CaptureFixture[str], folder: Path, fill: str, delete: str, says: str
) -> None:
    operations = HEAP.replace("heap_give(heap, address, bytes)", f"heap_give(heap, address, {delete})")
    start, shape = HEAP_START.replace("0xA5", fill), "heap_alignment = 16\n"
    shape += 'misuse = {"heap.new" = "undefined", "heap.resize" = "undefined"}\nheap_fragments = true\n'
    status, document = driven(capsys, binding(folder, operations, HEAP_DECLARED, start, shape), ops=300)
    if says:
        assert says in (document["message"] if status == 2 else document["trace"][-1])
    else:
        assert (status, document["divergences"]) == (0, [])
        addresses = [json.loads(line) for line in document["trace"]]
        assert all(0x500000000 <= each["result"] < 0x500100000 for each in addresses if "result" in each)


TAKEN = 'fails = "value == NULL"\nresult = "value"\n'
SOURCES = {
    "a source of pages": (
        "void *take_sourced(void);",
        "take_sourced()",
        "",
        '"void *more_pages(size_t count)" = "take_pages(count)"',
    ),
    "a source by pointer": (
        "void *take_of(void *(*pages)(size_t)); void (*hook)(int);",
        "take_of(source)",
        "hook = nothing",
        '"void *source(size_t count)" = "take_pages(count)"\nnothing = "0"',
    ),
    "a source in a structure": (
        "struct source; void *take_from(struct source *source);",
        "take_from(table)",
        "table = storage(8); store64(table, source)",
        '"void *source(size_t count)" = "take_pages(count)"',
    ),
    "a break": ("void *take_break(void);", "take_break()", "", '"void *sbrk(intptr_t by)" = "sbrk(by)"'),
}


@pytest.mark.parametrize("source", SOURCES)
def test_what_the_library_calls_of_ours(capsys: pytest.CaptureFixture[str], folder: Path, source: str) -> None:
    declared, call, start, callbacks = SOURCES[source]
    statements = ", ".join(f'"{each}"' for each in start.split("; ") if each)
    given = f"memory = {{bytes = 0x1f000, at = 0x10000000}}\nconstants = {{base = 0x10000000}}\nstart = [{statements}]"
    result = 'fails = "value == NULL"\nresult = "value - base + page_size"\n'
    path = binding(folder, f'{ALLOCATE}call = "{call}"\n{result}', declared, given, "", callbacks)
    status, document = driven(capsys, path, ops=40)
    assert (status, document.get("divergences", document)) == (0, [])
    assert document["coverage"]["exhausted"]["frames"]


START = """
constants = {expected = 2}
memory_map = [
    {start = 0, length = 0x8000, type = 1},
    {start = 0x8000, length = 0x1000, type = 2},
    {start = 0x10000, length = 0x10000, type = 1},
]
start = [
    {call = "seven = add_region(start, length)", each = "usable", fails = "value != 7"},
    "set_ready()",
    "hook = spin_lock",
    "map = storage(24 * records)",
    {call = "store64(map + 24 * index, start)", each = "memory_map"},
    {call = "store64(map + 24 * index + 8, length)", each = "memory_map"},
    {call = "store32(map + 24 * index + 16, type)", each = "memory_map"},
    {call = "with_map(map, records)", fails = "value != 3"},
    {call = "started(expected)", fails = "value < 0"},
    {call = "length_of(2)", fails = "value != 0x10000 or seven != 7"},
    {call = "end_of_image()", fails = "value != 0x40000"},
    "take_of(spin_lock)",
    "set_entry(3, 0x1234)",
    {call = "get_entry(3)", fails = "value != 0x1234 or load64(memory + 24) != value"},
]
memory = {bytes = 4096}
"""
START_DECLARED = """
int add_region(uint64_t start, uint64_t length); void set_ready(void); int started(uint64_t expected);
int with_map(void *map, int count); void *take_of(void *); void (*hook)(int);
uint64_t length_of(int index); uint64_t end_of_image(void);
void set_entry(int index, uint64_t value); uint64_t get_entry(int index);
void past_the_end(char *memory, size_t bytes);
uint64_t *entry_of(uint64_t table, int index);
"""


@pytest.mark.parametrize(
    ("wrong", "right", "says"),
    [
        ("", "", ""),
        ("expected = 2", "expected = 3", "start[8]: it failed: -5"),
        ("expected = 2", "expected = 'x'", "constants.expected"),
        ('"set_ready()"', '"past_the_end(memory, memory_bytes)"', "SIGSEGV"),
        ('"set_ready()"', '"expected = 1 // 0"', "start[1]: it divides by 0"),
        ('"set_ready()"', '"set_ready(1)"', "start[1]: set_ready takes 0 arguments, and is called with 1 argument"),
        ('each = "usable"', 'each = "all"', "each"),
        ("bytes = 4096}", "bytes = 4096, at = 1}", "memory.at: 1 is not between 4096 and 2^47 - 1"),
        ("bytes = 4096}", "bytes = 0}", "memory.bytes"),
        ("bytes = 4096}", "bytes = 4096, at = '0x1000'}", "memory.at: "),
        ("bytes = 4096}", "bytes = 4096, alignment = 3}", "memory.alignment"),
        ('image_end = "0x40000"', 'image_end = "nothing"', "symbols.image_end: unknown name nothing"),
        ('symbols = {image_end = "0x40000"}', "", "`symbols.image_end` gives it one"),
        ('"memory + table + index * 8"', '"memory + tables"', "unknown name tables"),
        ('spin_lock = "0"', 'spin_lock = "1 // 0"', "callbacks.spin_lock: it divides by 0"),
        ('entry_of = "memory', '"uint64_t" = "memory', "callbacks.uint64_t"),
        ('spin_lock = "0"', '"struct { lock(int)" = "0"', "callbacks."),
    ],
)
def test_a_start_of_several_calls(
    capsys: pytest.CaptureFixture[str], folder: Path, wrong: str, right: str, says: str
) -> None:
    operations = f"{ALLOCATE}{STATUS[1]}\n{FREE}{STATUS[2]}".replace("fails = ", "fails = ")
    declared = f"{STATUS[0]}{START_DECLARED}"
    path = binding(folder, operations, declared, START, "", 'entry_of = "memory + table + index * 8"')
    text = path.read_text()
    assert wrong in text
    path.write_text(text.replace(wrong, right))
    found, document = driven(capsys, path, ops=1)
    if says:
        assert (found, says in document["message"]) == (2, True), document
        assert "internal error" not in document["message"]
    else:
        assert found in (0, 1), document


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
