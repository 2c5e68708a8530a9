"""Where a file lies, as a report may say it that is read elsewhere than it was made."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from memoracle.trace.inputs import STDIN


def is_named(file: str | None) -> bool:
    """Whether this is a file, and not standard input."""
    return file is not None and file != STDIN


def inside(file: str) -> str | None:
    """The same path from the folder in which this program runs, a job's checkout; None if it is not inside."""
    try:
        path = os.path.relpath(file)
    except (OSError, ValueError):
        return None
    return None if Path(path).is_absolute() or Path(path).parts[:1] == (os.pardir,) else path


def uri(path: str) -> str:
    """A path as a URI (RFC 3986); a relative one stays so."""
    encoded = quote(os.fsencode(Path(path).as_posix()))
    return f"file://{encoded}" if Path(path).is_absolute() else encoded
