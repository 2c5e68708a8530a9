"""Files in memory, which a process shares with those that it forks."""

from __future__ import annotations

import os
import tempfile
from typing import BinaryIO


def memory_file() -> BinaryIO:
    """A file without a name, unbuffered on no disk where the system has such."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("memoracle"), "r+b")
    return tempfile.TemporaryFile()
