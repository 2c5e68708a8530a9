"""A bar on the terminal while a long input is read; nothing where standard error is no terminal."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from memoracle.trace.compression import HEAD, is_compressed
from memoracle.trace.inputs import shown
from memoracle.trace.quoting import escaped

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

STEP = 1 << 12  # lines between two looks at the bar


@contextmanager
def progress(args: argparse.Namespace, path: str, lines: Iterator[bytes]) -> Iterator[Iterator[bytes]]:
    """The same lines; while they are read, a bar shows how far they are."""
    if args.quiet or not sys.stderr.isatty():
        yield lines
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield watched(lines, bar, bar.add_task(escaped(shown(path)), total=plain_size(path)))


def plain_size(path: str) -> int | None:
    """The bytes of a file that is not compressed; None where that can't be known."""
    file = Path(path)
    try:
        if not file.is_file():
            return None
        with file.open("rb") as stream:
            compressed = is_compressed(stream.read(HEAD))
        return None if compressed else file.stat().st_size
    except OSError:  # whoever reads the file says what is wrong with it
        return None


def watched(lines: Iterator[bytes], bar: Progress, task: TaskID) -> Iterator[bytes]:
    done = 0
    for count, line in enumerate(lines, 1):
        done += len(line)
        if count % STEP == 0:
            bar.update(task, completed=done)
        yield line
