"""What is read by no command of its own, or by one that would run what it reads: each is called itself."""

from __future__ import annotations

import io
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, suppress
from pathlib import Path
from random import Random
from types import SimpleNamespace, TracebackType
from typing import Any, NamedTuple, Self
from unittest.mock import patch

from fuzzing import guard
from fuzzing.corpora import (
    ANSWERS,
    BINDINGS,
    CONVERSATION,
    HEADERS,
    HELLO,
    OF_RANGES,
    PYPROJECT,
    TRACES,
    library,
)
from fuzzing.emitted import emit, emitted
from fuzzing.guard import told, watched
from fuzzing.mutation import lines_mutated, mutated
from fuzzing.readers import form, spoilt_in_part
from fuzzing.texts import argument
from memoracle.commands import check_parts
from memoracle.commands.check_inputs import Check
from memoracle.drive import failures, program
from memoracle.drive.binding_file import load_binding
from memoracle.drive.calls import text_of
from memoracle.drive.library import Library
from memoracle.drive.native.elf import Elf
from memoracle.drive.python_object import PythonObject
from memoracle.drive.target import DiedError
from memoracle.proposals import c_text, proposal
from memoracle.pytest_plugin.settings import read_settings
from memoracle.report.check_report import TraceResult
from memoracle.snapshot import qmp
from memoracle.trace.inputs import InputError

ASKED = ("frame.allocate", {"order": 0}), ("range.list", {}), ("frame.free", {"address": 0})


def reads(read: Callable[[str], object]) -> Callable[[Path, bytes], None]:
    """A reader of files, whose faults name the file."""

    def hold(folder: Path, text: bytes) -> None:
        path = folder / "file.toml"
        path.write_bytes(text)
        # Where the system has a library `ldconfig` is asked, of no name in particular.
        with patch("memoracle.drive.binding_file.installed", return_value=None), watched(str(path)):
            said = str(path)
            try:
                read(str(path))
            except InputError as fault:
                said = str(fault)
            assert said.startswith(str(path)), said

    return hold


def read_binding(path: str) -> None:
    """All of a binding is read, but the library loaded: that is the user's own code."""
    Library(load_binding(path))


def read_kept(path: str) -> None:
    failures.read_kept(Path(path), Path(path).read_bytes().splitlines())


def read_pyproject(path: str) -> None:
    read_settings(Path(path))


class Speaker:
    """In the place of a process: it says one thing after another, and then ends."""

    def __init__(self, said: Sequence[bytes]) -> None:
        self.said = iter(said)
        self.stdin, self.stdout = io.BytesIO(), SimpleNamespace(fileno=int)

    def read(self, *_: object) -> bytes:
        return next(self.said, b"")

    def wait(self, *_: object) -> int:
        return 0


def said_by_program(random: Random) -> list[bytes]:
    """Its first line, and its answers."""
    first = HELLO if random.randrange(2) else mutated(random, [HELLO])
    return [first, *(mutated(random, ANSWERS) for _ in range(random.randrange(1, 7)))]


def hear(_: Path, said: Sequence[bytes]) -> None:
    """Each answer of a program is one that an event may have, or it is said why it is none."""
    process = Speaker(said)
    waiting = SimpleNamespace(select=lambda *_: ([], [], []))
    started = SimpleNamespace(Popen=lambda *_, **__: process, PIPE=None)
    replaced = patch.multiple(program, subprocess=started, select=waiting, os=process)
    with replaced, watched(), suppress(InputError, DiedError):  # these say it
        target = program.Program(["program"], {"memoracle": 1})
        for operation, arguments in ASKED:
            text_of(target.call(operation, arguments))


def answers_of_object(random: Random) -> list[Any]:
    """What the methods of a Python object return, which may be anything."""
    kinds = ["result", "frames", ""]
    return [
        random.choice(STRANGE) if not random.randrange(4) else argument(random, random.choice(kinds)) for _ in ASKED
    ]


class SilentError(Exception):
    """An exception that cannot be told."""

    def __str__(self) -> str:
        raise self


def nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


STRANGE: list[Any] = [
    *(float("nan"), float("inf"), 10**400, -(10**5000), [10**400], b"\xff", {1: 2}, (1, True), object(), range(3), 1j),
    *("\ud800", ["\ud800"], "0x" + "f" * 5000, "9" * 5000, nested(2000)),
    *(SilentError(), ValueError("\ud800\x1b"), KeyError()),
]


def hear_object(_: Path, answers: Sequence[Any]) -> None:
    """An answer is one that an event may have, or it is said why it is none."""
    left = iter(answers)

    def asked(order: int = 0, address: int = 0) -> Any:
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with watched():
        target = PythonObject("made", SimpleNamespace(frame_allocate=asked, range_list=asked, frame_free=asked))
        for operation, arguments in ASKED:
            with suppress(DiedError):  # it is said
                text_of(target.call(operation, arguments))


class Spoken(NamedTuple):
    """What a socket says, in pieces, and how it is reported."""

    arguments: tuple[str, ...]
    pieces: list[bytes]


class Link:
    """In the place of a socket: what is sent to it is not looked at."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.pieces = iter(pieces)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: object, where: TracebackType | None) -> None:
        pass

    def sendall(self, _: bytes) -> None:
        pass

    def settimeout(self, _: float) -> None:
        pass

    def recv(self, _: int) -> bytes:
        return next(self.pieces, b"")


def spoken(random: Random) -> Spoken:
    said = spoilt_in_part(random, CONVERSATION, 700)
    size = random.choice([1 << 16, 1 << 16, 5000])
    arguments = tuple(each for each in form(random) if not each.startswith("--report"))
    return Spoken(arguments, [said[at : at + size] for at in range(0, len(said), size)])


def converse(_: Path, case: Spoken) -> None:
    """`snapshot` of what answers on a socket."""
    with patch.object(qmp, "opened", lambda _: Link(case.pieces)):
        told(["snapshot", "--qmp=socket", *case.arguments])


class Here:
    """In the place of workers: each unit is done at once."""

    count = 2

    def done(self, work: Callable[[Any], Any], units: Sequence[Any], *_: object) -> Iterator[tuple[int, Any]]:
        yield from ((turn, work(unit)) for turn, unit in enumerate(units))


def check_in_parts(folder: Path, text: bytes) -> None:
    """What is said of a trace that is checked in parts is what is said of it in sequence."""
    path = folder / "input"
    path.write_bytes(text)
    check = Check(guard.parser_of("check").parse_args(["check", "--quiet", str(path)]))
    with patch.object(check_parts, "LEAST_BYTES", 0), watched(str(path)), redirect_stderr(io.StringIO()):
        found = check_parts.in_parts(check, str(path), Here())
        (whole,) = check.outcomes_of(str(path))
    if isinstance(found, TraceResult):
        assert vars(whole.coverage) == vars(found.coverage)
        assert vars(whole) | {"coverage": None} == vars(found) | {"coverage": None}


def header(random: Random) -> bytes:
    return mutated(random, HEADERS)


EXPORTED = frozenset(name.decode() for text in HEADERS for name in re.findall(rb"\b(\w+)\(", text))
ELF = Elf(b"", EXPORTED, frozenset(), frozenset({"panic", "page_alloc"}), frozenset(), {}, ())


def propose(folder: Path, text: bytes) -> None:
    """A binding is proposed of what a header declares, without a preprocessor; the library is not tried."""
    path = folder / "header.h"
    path.write_bytes(text)
    elf = patch.object(proposal, "read_elf", lambda _: ELF)
    with elf, patch.object(c_text.shutil, "which", lambda _: None):
        _propose(["init", str(folder / "library.so"), f"--header={path}"], str(path))


def propose_of_library(folder: Path, text: bytes) -> None:
    """A binding is proposed of what a library's symbols and its debug information say."""
    path = folder / "library.so"
    path.write_bytes(text)
    _propose(["init", str(path)], str(path))


def _propose(arguments: list[str], path: str) -> None:
    with patch.object(proposal.trying, "watched", lambda *_: {}):
        status, said = told(arguments, path)
    assert status in (0, 2)
    if said:
        tomllib.loads(said)


def a_library(random: Random) -> bytes:
    """Spoilt at its head, which says where all else is, or anywhere."""
    return spoilt_in_part(random, library(), 900)


# By name, what makes an input, and what is done with it. Inputs are bytes, lists of bytes, or such with options.
OTHERS: dict[str, tuple[Callable[[Random], Any], Callable[[Path, Any], None]]] = {
    "bindings": (lambda random: mutated(random, BINDINGS), reads(read_binding)),
    "settings of pytest": (lambda random: mutated(random, [PYPROJECT, *BINDINGS[:1]]), reads(read_pyproject)),
    "kept failures": (lambda random: mutated(random, TRACES), reads(read_kept)),
    "answers of a program": (said_by_program, hear),
    "answers of an object": (answers_of_object, hear_object),
    "answers of QEMU": (spoken, converse),
    "parts of a trace": (lambda random: lines_mutated(random, OF_RANGES), check_in_parts),
    "emitted tests": (emitted, emit),
    "headers": (header, propose),
    "libraries": (a_library, propose_of_library),
}
