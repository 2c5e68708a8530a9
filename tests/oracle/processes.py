"""Programs that tests start: how far they have come. No time on the clock says that of a machine that is busy."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import IO, Any

COMMAND = str(Path(sys.executable).with_name("memoracle"))
LOOK = 0.01  # seconds between two looks
IMPORTED = "import time:"  # begins what Python says of each module that was imported
SAYS_IMPORTS = {**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}  # has it say so on standard error


def wait_until_imported(errors: IO[str], module: str) -> None:
    """Reads what a program with SAYS_IMPORTS says until it has imported a module."""
    for line in errors:
        if line.startswith(IMPORTED) and line.rpartition("|")[2].strip() == module:
            return
    raise AssertionError(f"it ended before it imported {module}")


def without_imports(errors: str) -> str:
    """What a program with SAYS_IMPORTS says besides."""
    return "".join(line for line in errors.splitlines(keepends=True) if not line.startswith(IMPORTED))


def wait_until_waiting(running: subprocess.Popen[Any]) -> None:
    """Waits until a program itself waits for something, and has made of what it has what it can."""
    status = Path(f"/proc/{running.pid}/stat")
    while running.poll() is None and status.read_text().rpartition(")")[2].split()[0] != "S":
        time.sleep(LOOK)
    assert running.poll() is None


def wait_until_read(running: subprocess.Popen[Any], pipe: IO[str]) -> None:
    """Waits until a program has read all that was written to it, has made of it what it can, and waits for more."""
    while running.poll() is None and struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]:
        time.sleep(LOOK)
    wait_until_waiting(running)
