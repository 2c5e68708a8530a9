"""Work that workers do in tests."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def doubled(number: int) -> int:
    """Twice as much."""
    return 2 * number


def doubled_unless_first(unit: tuple[int, str]) -> int:
    """The same; but whoever does it first for a name of a file that does not exist dies of it."""
    number, mark = unit
    if mark:
        try:
            Path(mark).touch(exist_ok=False)
        except FileExistsError:
            return 2 * number
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def deadly(number: int) -> int:
    """Kills whoever does it with any number but 0."""
    if number:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def deadly_at_three(number: int) -> int:
    """Twice as much; but 3 kills whoever does it."""
    deadly(number == 3)
    return doubled(number)


def divided(number: int) -> float:
    """Cannot be done with 0."""
    return 1 / number


def process(_: int) -> tuple[int, str]:
    """In which process, and in which folder, it is done."""
    return os.getpid(), str(Path.cwd())


def marked(name: str) -> None:
    """Makes a file."""
    Path(name).touch()


def interrupted(number: int) -> int:
    """As when somebody at the terminal interrupts."""
    os.kill(os.getpid(), signal.SIGINT)
    return number


def loud(number: int) -> int:
    """Says something where a worker's answers go."""
    os.write(1, b"something")
    return number


def slow(seconds: int) -> int:
    """Takes so long."""
    time.sleep(seconds)
    return seconds
