"""The least of an input that still fails, as far as leaving out ever smaller pieces finds it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from fuzzing.readers import Case

MOST_TRIED = 3000
SECONDS = 30  # after which it is content with what it has


class Shrinking:
    """fails: whether an input does, in the same way."""

    def __init__(self, fails: Callable[[Any], bool]) -> None:
        self.fails, self.left, self.until = fails, MOST_TRIED, time.monotonic() + SECONDS

    def least(self, case: Any) -> Any:
        """An input: bytes, a list of inputs, or a case with files; anything else stays as it is."""
        if isinstance(case, bytes):
            return self._pieces(case, lambda text: text)
        if isinstance(case, list):
            case = self._pieces(case, lambda some: some)
            for place, each in enumerate(case):
                case = self._part(case, place, each, _with_item)
        if isinstance(case, Case):
            case = self._part(case, 1, case.arguments[1:], _with_arguments)
            for name, text in case.files.items():
                case = self._part(case, name, text, _with_file)
        return case

    def _part(self, whole: Any, key: Any, part: Any, put: Callable[[Any, Any, Any], Any]) -> Any:
        """put: the whole with another part under a key."""
        if not isinstance(part, bytes | tuple):
            return whole
        return put(whole, key, self._pieces(part, lambda shorter: put(whole, key, shorter)))

    def _pieces(self, whole: Any, case_of: Callable[[Any], Any]) -> Any:
        """A sequence without the pieces that can be left out."""
        size = len(whole)
        while size:
            at = 0
            while at < len(whole):
                shorter = whole[:at] + whole[at + size :]
                if self._still(case_of(shorter)):
                    whole = shorter
                else:
                    at += size
            size //= 2
        return whole

    def _still(self, case: Any) -> bool:
        self.left -= 1
        return self.left >= 0 and time.monotonic() < self.until and self.fails(case)


def _with_item(whole: list[Any], at: int, item: bytes) -> list[Any]:
    return [*whole[:at], item, *whole[at + 1 :]]


def _with_arguments(case: Case, first: int, arguments: tuple[str, ...]) -> Case:
    return case._replace(arguments=case.arguments[:first] + arguments)


def _with_file(case: Case, name: str, text: bytes) -> Case:
    return case._replace(files=case.files | {name: text})
