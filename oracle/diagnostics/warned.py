"""What is worth knowing of an input, and changes no verdict."""

from __future__ import annotations

from typing import NamedTuple

from memoracle.trace.inputs import shown


class Warned(NamedTuple):
    """One warning; its text is `file:line: words`.

    path: of the input, as the user gave it; None if it is about none.  line: from 1; None if it is about none.
    """

    path: str | None
    line: int | None
    words: str

    def __str__(self) -> str:
        return f"{self.where}: {self.words}" if self.where else self.words

    @property
    def where(self) -> str:
        """The file and the line, as messages call these; nothing if there are none."""
        if self.path is None:
            return ""
        return shown(self.path) if self.line is None else f"{shown(self.path)}:{self.line}"
