"""Where a file lies, as a report may say it that is read elsewhere than it was made."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from memoracle.trace.inputs import STDIN

CHECKOUTS = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")  # variables that name the folder of a checkout


def is_named(file: str | None) -> bool:
    """Whether this is a file, and not standard input."""
    return file is not None and file != STDIN


def inside(file: str) -> str | None:
    """The same path from the root of what is checked; None if it is not inside."""
    try:
        path = os.path.relpath(file, root())
    except (OSError, ValueError):
        return None
    return None if Path(path).parts[:1] == (os.pardir,) else path


def root() -> Path:
    """The checkout of a job of GitHub or GitLab, if this program runs in it; or else the folder in which it runs."""
    here = Path.cwd()
    checkouts = (Path(named) for name in CHECKOUTS if (named := os.environ.get(name)))
    return next((each for each in checkouts if here.is_relative_to(each)), here)


def absolute(file: str) -> str:
    """Without `..`; links are kept as they are."""
    return os.path.abspath(file)  # noqa: PTH100


def uri(path: str) -> str:
    """A path as a URI (RFC 3986); a relative one stays so."""
    encoded = quote(os.fsencode(Path(path).as_posix()))
    return f"file://{encoded}" if Path(path).is_absolute() else encoded
