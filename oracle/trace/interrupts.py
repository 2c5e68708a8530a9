"""Ctrl-C while input is read: reading stops between two lines, so that what was found so far can be reported.

A handler that raised wherever it is called could leave half a change behind. This one raises only where the program
waits for input; otherwise it leaves a note, which whoever reads the next line looks at. A second Ctrl-C ends the
program.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class Interrupts:
    """asked: the user wants the program to stop.  waiting: it waits for input just now."""

    asked: bool = False
    waiting: bool = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if self.waiting:
            raise KeyboardInterrupt

    @contextmanager
    def waited_for(self) -> Iterator[None]:
        """Within it the program waits for input, and an interrupt raises KeyboardInterrupt."""
        self.waiting = True
        try:
            if self.asked:
                raise KeyboardInterrupt
            yield
        finally:
            self.waiting = False

    @contextmanager
    def stop_reading(self) -> Iterator[None]:
        """Within it, an interrupt makes readers raise KeyboardInterrupt; nothing changes where it would be ignored."""
        before = signal.getsignal(signal.SIGINT)
        if before not in (signal.SIG_DFL, signal.default_int_handler):
            yield
            return
        self.asked = False
        signal.signal(signal.SIGINT, self.handle)
        try:
            yield
        finally:
            self.asked = False
            signal.signal(signal.SIGINT, before)


@contextmanager
def raised_interrupts() -> Iterator[None]:
    """Within it, the first interrupt raises KeyboardInterrupt, wherever it comes; a second one ends the program."""

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_DFL:  # it raises already, or is ignored
        yield
        return
    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


INTERRUPTS = Interrupts()  # signals are the whole process's, and so is this
