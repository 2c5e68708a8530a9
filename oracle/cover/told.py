"""What a child tells its parent: one value, in a file that has no name."""

from __future__ import annotations

import pickle
import tempfile
from typing import Any


class Told:
    """Made before the child is; the child writes, and the parent reads once it has ended."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 (as long as what is told)

    def write(self, value: object) -> None:
        self.file.seek(0)
        self.file.truncate()
        pickle.dump(value, self.file)
        self.file.flush()

    def read(self) -> Any:
        """None if nothing was told, or the child's memory was damaged; it is forgotten then."""
        self.file.seek(0)
        try:
            value = pickle.load(self.file)
        except Exception:  # of damaged text pickle raises anything
            value = None
        self.file.seek(0)
        self.file.truncate()
        return value

    def close(self) -> None:
        self.file.close()
