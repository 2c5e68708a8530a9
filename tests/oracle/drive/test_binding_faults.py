"""Whatever is wrong with a binding is said in plain words, with its file, the line of its key, and the key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from blocks_binding import BINDING, blocks

from memoracle.cli import main
from memoracle.drive.binding_file import load_binding
from memoracle.trace.inputs import InputError

PYTHON = re.compile(r"\b\w+Error\b|NoneType|object has no|unsupported operand|positional|internal error|Traceback")
GEOMETRY, RESULT = "[geometry]", 'result = "value * page_size"'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("blocks")
    blocks(found)
    return found


def before_geometry(text: str) -> tuple[str, str]:
    return GEOMETRY, f"{text}\n{GEOMETRY}"


def after_result(text: str) -> tuple[str, str]:
    return RESULT, f"{RESULT}\n{text}"


STATED = [  # what is wrong wherever the library is
    (before_geometry("operation = 3"), "operation", "unknown key; did you mean operations? there are callbacks,"),
    (before_geometry("zones = {dma = 1}"), "zones.dma", "the geometry has no such zone; there are none"),
    (before_geometry("memory = {bytes = 4096, fill = 256}"), "memory.fill", "256 is not between 0 and 255"),
    (
        before_geometry("memory = {bytes = 4096, siez = 1}"),
        "memory.siez",
        "unknown key; there are alignment, at, bytes",
    ),
    (before_geometry('memory = {bytes = "zz"}'), "memory.bytes", 'neither an integer nor a string "0x..."'),
    (before_geometry("memory = {bytes = -1}"), "memory.bytes", "-1 is not between 1 and 2^47 - 1"),
    (before_geometry("memory = {bytes = 1, at = 4097}"), "memory.at", "0x1001 is no multiple of 4096"),
    (before_geometry("memory = {bytes = 1, alignment = 3}"), "memory.alignment", "3 is no power of two"),
    (before_geometry("memory = 5"), "memory", "a table with bytes, at, alignment, fill was expected, not 5"),
    (before_geometry("constants = {a = 1.5}"), "constants.a", "an integer or a string was expected, not 1.5"),
    (before_geometry("constants = {a = 0x1ffffffffffffffff}"), "constants.a", "is not between -2^63 and 2^64 - 1"),
    (before_geometry("constants = {value = 1}"), "constants.value", "has a meaning of its own"),
    (before_geometry('constants = {"a b" = 1}'), "constants.a b", "no name that an expression could have"),
    (before_geometry("symbols = {'a-b' = 1}"), "symbols.a-b", "no symbol of C"),
    (before_geometry("private_frames = 1"), "private_frames", "true or false was expected, not 1"),
    (before_geometry("panics = 'panic'"), "panics", "a list was expected, not 'panic'"),
    (before_geometry("memory_map = [{start = 0, length = -4, type = 1}]"), "memory_map[0].length", "-4 is not between"),
    (before_geometry("memory_map = [{start = 0}]"), "memory_map[0].length", "missing"),
    (before_geometry("x ="), "it is not TOML", "Invalid value (at line"),
    (('["blocks_init()"]', "[7]"), "start[0]", "a string or a table with call, each, fails, once was expected"),
    (('["blocks_init()"]', '[{fails = "1"}]'), "start[0].call", "missing"),
    (('"blocks_init()"', '{call = "blocks_init()", each = "all"}'), "start[0].each", "one of memory_map, usable"),
    (('"blocks_init()"', '{call = "blocks_init()", each = "usable"}'), "start[0].each", "there is no `memory_map`"),
    (('"frame.allocate"', '"frame.alocate"'), "operations.frame.alocate", "did you mean frame.allocate?"),
    (('"frame.allocate"', '"range.list"'), "operations.range.list", "its answer is a list or a table"),
    ((RESULT, ""), "operations.frame.allocate.result", "missing: frame.allocate answers a number"),
    (('fails = "value != 0"', 'result = "value"'), "operations.frame.free.result", "frame.free answers nothing"),
    (after_result('frames = "result"'), "operations.frame.allocate.frames", "only kernel_pages.allocate can have it"),
    (
        ('fails = "value != 0"', 'contents = "result"'),
        "operations.frame.free.contents",
        "only frame.allocate, heap.new",
    ),
    (after_result('panic = "refuse"'), "operations.frame.allocate.panic", "there are no `panics`"),
    (after_result('panic = "no"'), "operations.frame.allocate.panic", "one of crash, refuse was expected, not 'no'"),
    (after_result("defaults = {ordr = 1}"), "operations.frame.allocate.defaults.ordr", "did you mean order?"),
    (after_result("defaults = {order = -1}"), "operations.frame.allocate.defaults.order", "-1 is not between 0 and"),
    (('call = "blocks_alloc(order)"', 'cal = "x"'), "operations.frame.allocate.cal", "did you mean call?"),
    (("frames = 256", "framez = 256"), "geometry.framez", "unknown key"),
]


@pytest.mark.parametrize(("edit", "key", "says"), STATED)
def test_what_no_binding_can_say_is_refused(tmp_path: Path, edit: tuple[str, str], key: str, says: str) -> None:
    wrong, right = edit
    path, text = tmp_path / "blocks.toml", BINDING.replace(wrong, right, 1)
    assert wrong in BINDING
    path.write_text(text)
    with pytest.raises(InputError) as refusal:
        load_binding(str(path))
    message = str(refusal.value)
    assert message.startswith(f"{path}:{refusal.value.line}: {key}: "), message
    assert says in message
    assert PYTHON.search(message) is None
    # The line is that of what was edited, or of the table that it was in.
    at = 17 if not right else BINDING[: BINDING.index(wrong)].count("\n") + 1
    assert at <= (refusal.value.line or 0) <= at + right.count("\n")


DRIVEN = [  # what is seen with the library alone, and what a call shows
    (
        before_geometry('panics = ["strlen"]'),
        "panics[0]",
        "the library needs no symbol 'strlen'; there are blocks_alloc,",
    ),
    (
        before_geometry('panics = ["blocks_free"]'),
        "panics[0]",
        "'blocks_free' is called by an expression, and what panics does not return",
    ),
    (
        ('"blocks_alloc(order)"', '"order"'),
        "operations.frame.allocate.call",
        "it calls no function of the library and reads none of its variables: 'order'",
    ),
    (
        ('"blocks_alloc(order)"', '"log2(1 << order)"'),
        "operations.frame.allocate.call",
        "it calls no function of the library and reads none of its variables: 'log2(1 << order)'",
    ),
    (
        ('"blocks_alloc(order)"', '"load8(order)"'),
        "operations.frame.allocate.call",
        "it calls no function of the library: 'load8(order)'",
    ),
    (before_geometry('panics = ["nope"]'), "panics[0]", "the library needs no symbol 'nope'; there are blocks_alloc,"),
    (before_geometry("symbols = {blocks_ini = 1}"), "symbols.blocks_ini", "did you mean blocks_init?"),
    (before_geometry('callbacks = {nope = "0"}'), "callbacks.nope", "the library needs no symbol"),
    (
        ('"blocks_init()"', '"blocks_init(1)"'),
        "start[0]",
        "blocks_init takes 0 arguments, and is called with 1 argument",
    ),
    (('"blocks_init()"', '"log2(1, 2)"'), "start[0]", "log2 takes 1 argument, and is called with 2 arguments"),
    (('"blocks_init()"', '"x = blocks_init()"'), "start[0]", "returns nothing that could be read"),
    (('"blocks_init()"', '"value = 3"'), "start[0]", "value: this name has a meaning of its own"),
    (('"blocks_init()"', '"1 // 0"'), "start[0]", "it divides by 0"),
    (('"blocks_init()"', '"1 << 400"'), "start[0]", "a shift by 400 bits is none from 0 to 256"),
    (('"blocks_init()"', '"null + 1"'), "start[0]", "something in it is no integer here"),
    (('"blocks_init()"', '"storage(-70)"'), "start[0]", "there is no storage of -70 bytes"),
    (('"blocks_init()"', '"blocks_ini()"'), "start[0]", "unknown function blocks_ini; did you mean blocks_init?"),
    (("void blocks_init(void);", "voidd x(void"), "declarations", 'cannot parse "voidd x(void"'),
    (("void blocks_init(void);", "void blocks_nit(void);"), "start[0]", "unknown function blocks_init; did you mean"),
    (("blocks_init", "blocks_nix"), "start[0]", "the library has no blocks_nix, which `declarations` declares"),
    (("long blocks_alloc", "struct s blocks_alloc"), "declarations", "takes or returns a structure whose fields"),
    (("long blocks_alloc", "void blocks_alloc"), "operations.frame.allocate.fails", "`value` is nothing"),
    (("long blocks_alloc", "double blocks_alloc"), "operations.frame.allocate.result", "not a number with a fraction"),
    (("alloc(order)", "alloc(ordr)"), "operations.frame.allocate.call", "unknown name ordr; did you mean order?"),
    (("alloc(order)", "alloc(order, 1)"), "operations.frame.allocate.call", "blocks_alloc takes 1 argument, and is"),
    (("alloc(order)", "alloc(zone)"), "operations.frame.allocate.call", "it names `zone`, and the geometry has no"),
    (("alloc(order)", "alloc(null)"), "operations.frame.allocate.call", "something in it is no integer here"),
    (("alloc(order)", "alloc(order // 0)"), "operations.frame.allocate.call", "it divides by 0"),
    (("value < 0", "value.x < 0"), "operations.frame.allocate.fails", "should have the field x is no structure"),
    (("value < 0", "out < 0"), "operations.frame.allocate.fails", "`out` is stored by nothing"),
    (("value < 0", "value is 0"), "operations.frame.allocate.fails", "`is` is no part of an expression here"),
    (("value * page_size", "null"), "operations.frame.allocate.result", "an integer was expected, not null"),
    (("value * page_size", "value == 1"), "operations.frame.allocate.result", "an integer was expected, not"),
]


@pytest.mark.parametrize(("edit", "key", "says"), DRIVEN)
def test_what_does_not_fit_the_library_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], edit: tuple[str, str], key: str, says: str
) -> None:
    path = folder / "blocks.toml"
    text = BINDING.replace(*edit, 2 if edit[1] == "blocks_nix" else 1)
    assert text != BINDING
    path.write_text(text)
    assert main(["drive", "--ops", "40", "--seed", "1", str(path)]) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert re.match(rf"memoracle: {re.escape(str(path))}:\d+: {re.escape(key)}: ", message), message
    assert says in message
    assert PYTHON.search(message) is None


@pytest.mark.parametrize(
    ("result", "says"),
    [
        ("0 - value - 1", "which is no number of 64 bits"),
        ("value / 7", "its answer cannot be read: "),
    ],
)
def test_an_answer_that_is_none_is_a_finding(
    folder: Path, capsys: pytest.CaptureFixture[str], result: str, says: str
) -> None:
    path = folder / "answers.toml"
    path.write_text(BINDING.replace("value * page_size", result))
    assert main(["drive", "--ops", "40", "--seed", "1", str(path)]) == 1
    assert says in " ".join(capsys.readouterr().out.split())
