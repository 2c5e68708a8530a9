"""Whether there is a file: none that the system does not let us see, and none of a name that it does not take."""

from __future__ import annotations

from pathlib import Path


def exists(path: str | Path) -> bool:
    try:
        return Path(path).exists()
    except OSError:
        return False


def is_file(path: str | Path) -> bool:
    try:
        return Path(path).is_file()
    except OSError:
        return False
