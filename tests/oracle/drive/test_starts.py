"""Bindings say how a library is started, what it calls of ours, and which memory it is given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from forms_binding import ALLOCATE, FREE, STATUS, binding, driven

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
    operations = f"{ALLOCATE}{STATUS[1]}\n{FREE}{STATUS[2]}"
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
