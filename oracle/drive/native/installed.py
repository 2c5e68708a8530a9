"""Where a library of the system lies, which is named without a folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LISTS = "/sbin/ldconfig", "-p"  # what the dynamic linker has in its cache (ldconfig(8))
SECONDS = 10
IS_64_BIT = sys.maxsize > 1 << 32


def installed(name: str) -> Path | None:
    """The file that the dynamic linker would load for this name; None if it knows none, or cannot be asked."""
    try:
        listed = subprocess.run(LISTS, capture_output=True, text=True, check=True, timeout=SECONDS).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    for line in listed.splitlines():
        library, _, rest = line.strip().partition(" ")
        kind, arrow, path = rest.partition(" => ")
        if library == name and arrow and ("64" in kind) == IS_64_BIT:
            return Path(path)
    return None
