"""Where a report goes. It is written when it is whole, and never over what it was made from."""

from __future__ import annotations

import argparse
import io
import json
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from memoracle.console.options import JSON, TEXT
from memoracle.console.streams import discard, write_error
from memoracle.trace.inputs import STDIN

STANDARD_OUTPUT = "standard output"


class OutputError(Exception):
    """A report that cannot be written; the text names the file, unless that is standard output."""


class Draft(io.StringIO):
    """A report that is not whole yet, drawn as for the stream or file that it is meant for."""

    def __init__(self, out: TextIO | None) -> None:
        super().__init__()
        self.out = out

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has a variable; io has a property, too
        return "utf-8" if self.out is None else (self.out.encoding or "utf-8")

    def isatty(self) -> bool:
        return self.out is not None and self.out.isatty()


@contextmanager
def report_to(args: argparse.Namespace, *inputs: str | None) -> Iterator[TextIO]:
    """What a report is written into; it goes to --output's file, or to standard output, when the block is left.
    Where something else goes to standard output, a report in text goes to standard error.

    inputs: the files that the command reads, beside --geometry; None for one that was not given.
    Raises OutputError, before the block where that can be known.
    """
    refuse_to_overwrite(args.output, [each for each in (*inputs, args.geometry) if each is not None])
    draft = Draft(sys.stdout if args.output is None else None)
    yield draft
    if args.output is not None:
        write_file(args.output, draft.getvalue())
    elif emits_to_standard_output(args) or reports_to_standard_output(args):
        write_error(draft.getvalue())
    else:
        write_out(draft.getvalue())


def emits_to_standard_output(args: argparse.Namespace) -> bool:
    """Whether standard output is for a test that is written of a failure, and not for the report."""
    if getattr(args, "emit", None) is None or args.emit_output is not None:
        return False
    return args.format == TEXT or (args.format != JSON and args.output is not None)


def reports_to_standard_output(args: argparse.Namespace) -> bool:
    """Whether standard output is for a report that --report asks for, and not for the one of --format."""
    return any(path == STDIN for _, path in getattr(args, "report", ()))


def write_document(document: dict[str, Any], out: TextIO) -> None:
    """A machine-readable report, on one line of ASCII: no terminal obeys anything in it, and no runner a `##[…]`."""
    out.write(json.dumps(document).replace("##", "#\\u0023") + "\n")


def refuse_to_overwrite(output: str | None, inputs: list[str]) -> None:
    """Raises OutputError if the report would go where an input is, under whatever name, or can't be written at all."""
    target = identity(sys.stdout) if output is None else identity(output)
    if target is not None:
        for each in inputs:
            if identity(sys.stdin if each == STDIN else each) == target:
                name = STANDARD_OUTPUT if output is None else output
                raise OutputError(f"{name}: the report would overwrite the input {each}")
    if output is None:
        return
    path = Path(output)
    try:
        if path.is_dir():
            raise OutputError(f"{output}: cannot write: Is a directory")
        folder = resolved(path).parent
        if not folder.is_dir():
            raise OutputError(f"{output}: cannot write: there is no directory {folder}")
    except OSError as fault:  # of a name that is too long, or in a folder that we may not see
        raise OutputError(f"{output}: cannot write: {fault.strerror or fault}") from None


def identity(file: str | TextIO) -> tuple[int, int] | None:
    """What makes a regular file the same under any name; None for what is none, or does not exist."""
    try:
        found = os.stat(file) if isinstance(file, str) else os.fstat(file.fileno())  # noqa: PTH116
    except (OSError, ValueError, AttributeError):
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def write_out(text: str) -> bool:
    """Whether somebody reads it still; that nobody does is no error. Raises OutputError."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        discard(sys.stdout)
        return False
    except OSError as fault:
        discard(sys.stdout)
        raise OutputError(f"cannot write: {fault.strerror or fault}") from None
    return True


def write_file(output: str, text: str) -> None:
    """Writes a file beside the one that is meant, and moves it into its place; raises OutputError.

    What is no regular file, such as a pipe, is written as it is.
    """
    path = Path(output)
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
            return
        target = resolved(path)
        handle, name = tempfile.mkstemp(prefix=".memoracle-", dir=target.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
            Path(name).chmod(permissions(target))
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except BrokenPipeError:  # of a pipe that is named
        return
    except OSError as fault:
        raise OutputError(f"{output}: cannot write: {fault.strerror or fault}") from None


def resolved(path: Path) -> Path:
    """The file that links lead to; raises OutputError if they lead in a circle."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        raise OutputError(f"{path}: cannot write: too many levels of symbolic links") from None


def goes_where(path: str, other: str | None) -> bool:
    """Whether a file would be written where another one is, under whatever name; raises OutputError."""
    return other is not None and resolved(Path(path)) == resolved(Path(other))


def permissions(target: Path) -> int:
    """Those of the file that is replaced, or of any new file."""
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
