"""Runs one command on one input, in this process, and holds it to what no input may change."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import typing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import msgspec._utils

from fuzzing.readers import Case
from memoracle.cli import main
from memoracle.drive import program
from memoracle.drive.binding_file import load_binding
from memoracle.drive.library import Library
from memoracle.drive.target import DiedError
from memoracle.trace.inputs import InputError

SECONDS = 30  # that one input may take, on a machine that is busy
HARMLESS = ("/proc/", "/sys/fs/cgroup/")  # how much memory there is, say
RUNS = ("exec", "compile", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty")
REACHES = (
    "socket.connect",
    "ctypes.dlopen",
    "os.remove",
    "os.rename",
    "os.mkdir",
    "os.chmod",
    "os.symlink",
    "os.truncate",
)
# Whose code may be run: a module's, which a command loads when it is first called; our own types, written as strings.
LOADS = ("<frozen importlib", typing.__file__, msgspec._utils.__file__)


class BrokenPromiseError(BaseException):
    """What no command may do; no `except Exception` of a command stops it."""


class Watch:
    """What is opened and run while a command reads. A hook of Python's cannot be taken away, so there is one."""

    def __init__(self) -> None:
        self.allowed: frozenset[str] | None = None
        sys.addaudithook(self.hook)

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.allowed is None or event not in ("open", *RUNS, *REACHES):
            return
        if event == "open":
            path = os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes) else ""
            if not path or path in self.allowed or path.startswith(HARMLESS):
                return
        if not is_loading(sys._getframe()):
            self.allowed = None
            raise BrokenPromiseError(f"{event}: {arguments!r:.300}")


def is_loading(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith(LOADS):
            return True
        frame = frame.f_back
    return False


WATCH = Watch()


@contextmanager
def watched(*paths: str) -> Iterator[None]:
    """Raises BrokenPromiseError where something else is opened, something is run, or it takes too long."""

    def late(*_: object) -> None:
        raise BrokenPromiseError(f"no end within {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    WATCH.allowed = frozenset(paths)
    try:
        yield
    finally:
        WATCH.allowed = None
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def run(folder: Path, case: Case) -> int:
    """The exit status of a command, which is one of the contract's; what is wrong is said without a traceback."""
    paths = {name: str(folder / name) for name in case.files}
    for name, text in case.files.items():
        (folder / name).write_bytes(text)
    arguments = list(case.arguments)
    for name, path in paths.items():
        arguments = [each.replace(f"@{name}", path) if each.endswith(f"@{name}") else each for each in arguments]
    out, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(errors), watched(*paths.values()):
        status = main(arguments)
    said = errors.getvalue()
    assert status in (0, 1, 2, 3, 4), status
    assert "internal error" not in said, said
    assert "Traceback" not in said, said
    assert "\x1b" not in out.getvalue() + said, said
    if "--format=json" in arguments and out.getvalue():
        json.loads(out.getvalue())
    return status


def read_binding(folder: Path, text: bytes) -> None:
    """All of a binding is read, but the library loaded: that is the user's own code."""
    path = folder / "binding.toml"
    path.write_bytes(text)
    # Where the system has a library `ldconfig` is asked, of no name in particular.
    with patch("memoracle.drive.binding_file.installed", return_value=None), watched(str(path)):
        try:
            Library(load_binding(str(path)))
        except InputError as fault:
            said = str(fault)
        else:
            said = ""
    assert said == "" or said.startswith(str(path)), said


class Speaker:
    """In the place of a process: it says one thing after another, and then ends."""

    def __init__(self, said: Sequence[bytes]) -> None:
        self.said = iter(said)
        self.stdin, self.stdout = io.BytesIO(), SimpleNamespace(fileno=int)

    def read(self, *_: object) -> bytes:
        return next(self.said, b"")

    def wait(self, *_: object) -> int:
        return 0


def hear(said: Sequence[bytes]) -> None:
    """Each answer of a program is one that an event may have, or it is said why it is none."""
    asked = ("frame.allocate", {"order": 0}), ("range.list", {}), ("frame.free", {"address": 0})
    process = Speaker(said)
    waiting = SimpleNamespace(select=lambda *_: ([], [], []))
    started = SimpleNamespace(Popen=lambda *_, **__: process, PIPE=None)
    with patch.multiple(program, subprocess=started, select=waiting, os=process), watched():
        try:
            target = program.Program(["program"], {"memoracle": 1})
            for operation, arguments in asked:
                target.call(operation, arguments)
        except (InputError, DiedError):
            pass  # it is said
