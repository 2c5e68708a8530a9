"""Runs one command on one input, in this process, and holds it to what no input may change."""

from __future__ import annotations

import ast
import io
import os
import signal
import sys
import tempfile
import typing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from importlib import metadata
from pathlib import Path
from types import FrameType, SimpleNamespace
from unittest.mock import patch

import msgspec._utils

from fuzzing import reports
from fuzzing.readers import Case
from memoracle import cli
from memoracle.explain import entries, source
from memoracle.replay import branches
from memoracle.report.ci.github import SUMMARY
from memoracle.report.html import page
from memoracle.reproducers import substitution

PATIENCE = 120  # seconds that one input may take on a machine that is busy
SECONDS = 20  # of a processor
# How much memory there is, say; and what is installed, which no input is.
HARMLESS = ("/proc/", "/sys/fs/cgroup/", sys.prefix, sys.base_prefix, str(Path(cli.__file__).parents[1]))
COPIES = tempfile.gettempdir()  # where what can be read only once is kept, in a file without a name
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
WRITES = ("open", "os.rename", "os.mkdir", "os.chmod")  # where a report goes
SEEN = frozenset(("open", *RUNS, *REACHES))
# Whose code may be run: a module's, which a command loads when it is first called; our own types, written as strings.
# `explain`, and what counts branches, read our own sources.
LOADS = ("<frozen importlib", typing.__file__, msgspec._utils.__file__)
LOADS += (source.__file__, entries.__file__, branches.__file__)
LOADS += (metadata.__file__,)  # which version is installed, wherever in sys.path that is found first
LOADS += (substitution.__file__,)  # of a binding's expressions it computes those of numbers alone


class BrokenPromiseError(BaseException):
    """What no command may do; no `except Exception` of a command stops it."""


class Watch:
    """What is opened and run while a command reads. A hook of Python's cannot be taken away, so there is one.

    allowed: what may be opened; None while nothing is watched.  written: the beginnings of what may be written, too.
    """

    def __init__(self) -> None:
        self.allowed: frozenset[str] | None = None
        self.written: tuple[str, ...] = ()
        sys.addaudithook(self.hook)

    def hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.allowed is None or event not in SEEN:
            return
        path = os.fsdecode(arguments[0]) if arguments and isinstance(arguments[0], str | bytes | os.PathLike) else ""
        if event == "open" and (not path or path in self.allowed or path == COPIES or path.startswith(HARMLESS)):
            return
        if self.written and event in WRITES and path.startswith(self.written):
            return
        if event == "ctypes.dlopen" and arguments[0] is None:  # the program itself
            return
        frame = sys._getframe().f_back
        if event == "compile" and frame is not None and frame.f_code is ast.parse.__code__:  # a tree, and no code
            return
        if not is_loading(frame):
            self.allowed = None
            raise BrokenPromiseError(f"{event}: {arguments!r:.300}")


def is_loading(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith(LOADS):
            return True
        frame = frame.f_back
    return False


WATCH = Watch()


def late(*_: object) -> None:
    raise BrokenPromiseError(f"no end within {SECONDS} seconds of a processor, or {PATIENCE} of the clock")


@contextmanager
def watched(*paths: str, written: Sequence[str] = ()) -> Iterator[None]:
    """Raises BrokenPromiseError where something else is opened, something is run, or it takes too long."""
    before = [signal.signal(each, late) for each in (signal.SIGALRM, signal.SIGPROF)]
    try:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        signal.alarm(PATIENCE)
        WATCH.written = (*written,)
        WATCH.allowed = frozenset(paths)
        yield
    finally:
        WATCH.allowed = None
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        for number, handler in zip((signal.SIGALRM, signal.SIGPROF), before, strict=True):
            signal.signal(number, handler)


@cache
def parser_of(command: str) -> object:
    return PARSER((command,))


PARSER = cli.parser


@cache
def load_templates() -> None:
    """Of pages, which are read and compiled when the first one is written."""
    for name in ("page.html", "trace.html", "snapshot.html", "prove.html"):
        page.environment().get_template(name)
    for name in ("page.css", *page.SCRIPTS):
        page.text_of(name)


def told(
    arguments: Sequence[str], *paths: str, written: Sequence[str] = (), from_stdin: bytes = b""
) -> tuple[int, str]:
    """The exit status of a command, which is one of the contract's, and what it said on standard output.

    What is wrong is said without a traceback, and no stream holds what whoever shows it would obey.
    """
    out, errors = io.StringIO(), io.StringIO()
    # A parser is the same each time, and half of the time of a small input.
    parsers = patch.object(cli, "parser", lambda argv: parser_of(argv[0]))
    stdin = patch.object(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(from_stdin), fileno=lambda: 0))
    with redirect_stdout(out), redirect_stderr(errors), parsers, stdin, watched(*paths, written=written):
        status = cli.main(arguments)
    said = errors.getvalue()
    assert status in (0, 1, 2, 3, 4), status
    assert "internal error" not in said, said
    assert "Traceback" not in said, said
    form = next((each.removeprefix("--format=") for each in arguments if each.startswith("--format=")), "text")
    reports.hold_streams(out.getvalue(), said, form)
    reports.hold(form, out.getvalue())
    return status, out.getvalue()


def run(folder: Path, case: Case, keeps: bool = False) -> int:
    """The exit status of a command; what it wrote is held to what such a report must be.

    keeps: whether it keeps what fails, in the folder.
    """
    load_templates()
    paths = {name: str(folder / name) for name in case.files}
    for name, text in case.files.items():
        (folder / name).write_bytes(text)
    arguments = list(case.arguments)
    for name, path in (paths | {each: str(folder / each) for each in WRITTEN}).items():
        arguments = [each.replace(f"@{name}", path) if each.endswith(f"@{name}") else each for each in arguments]
    writes = [*WRITTEN] if any(each.endswith(tuple(f"@{name}" for name in WRITTEN)) for each in case.arguments) else []
    written = [str(folder)] if writes or keeps else []
    summary = folder / "summary"
    with patch.dict(os.environ, {SUMMARY: str(summary)}):
        status, _ = told(arguments, *paths.values(), str(summary), written=written, from_stdin=case.from_stdin)
    if summary.exists():
        reports.hold("summary", summary.read_text(encoding="utf-8"))
        summary.unlink()
    for name in writes:
        path = folder / name
        path = path / "index.html" if name == "html" else path
        if path.exists():
            said = path.read_text(encoding="utf-8")
            path.unlink()  # whatever is wrong with it, the next input's is another
            reports.hold(WRITTEN[name], said)
    for path in paths.values():
        Path(path).unlink()
    return status


WRITTEN = {"html": "html", "junit": "junit", "emitted": "trace"}
