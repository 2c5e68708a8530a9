"""Which branches of the reference were taken is counted as it happened, whatever a statement looks like."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from memoracle.replay import branches
from memoracle.replay.branches import Branch, Functions, exercised

CODE = """
class Shelf:
    def taken(self, count):
        while count > 0 and (
            count < 100
        ):
            count -= 1
            if count % 2: # odd
                continue
        else:
            count = 7
        for place in range(
            2
        ):
            while place < 1:
                place += 1
        if (
            count == 7
            or count == 8
        ):
            if any(each for each in (0, 1) if each):
                return (
                    count
                )
        elif count: return 1
        while True:
            return 0

    def never(self):
        if self: return 1

    def left(self, count):
        if count > 4:
            count = 0

if CODE := 1:
    pass
"""
TIMES = {
    "while count > 0 and (": (8, 2),
    "if count % 2: # odd": (4, 4),
    "for place in range(": (4, 2),
    "while place < 1:": (2, 4),
    "if (": (2, 0),
    "if any(each for each in (0, 1) if each):": (2, 0),
    "elif count: return 1": (0, 0),
    "if self: return 1": (0, 0),
    "if count > 4:": (2, 4),  # where it is passed, the function is left
}


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type:
    path = tmp_path / "shelf.py"
    path.write_text(CODE)
    monkeypatch.setattr(branches, "modules", lambda: {str(path): Functions("impl/shelf.py", CODE)})
    spec = importlib.util.spec_from_file_location("shelf", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = module.Shelf
    assert isinstance(found, type)
    return found


def test_each_statement_is_counted(shelf: type) -> None:
    """But for the head, which is no call."""

    def replayed(lines: Iterator[bytes]) -> None:
        for line in lines:
            shelf().taken(int(line))
            for count in (3, 4, 5):
                shelf().left(count)

    found = exercised(replayed, [[b"5", b"4", b"4"]], 1)
    counted = {branch.source: counts for branch, counts in found.taken.items()}
    assert counted == TIMES
    assert (found.calls, found.of) == (2, 2)
    assert found.called == [("impl/shelf.py", "Shelf.taken"), ("impl/shelf.py", "Shelf.left")]
    assert found.uncalled == [("impl/shelf.py", "Shelf.never")]
    assert {branch.function for branch in found.in_called} == {"Shelf.taken", "Shelf.left"}
    assert sys.gettrace() is None


@pytest.mark.parametrize(
    ("most", "seconds", "watched"), [(None, None, 9), (100, None, 9), (4, None, 4), (6, None, 6), (None, -1.0, 0)]
)
def test_some_of_many_calls_are_watched(shelf: type, most: int | None, seconds: float | None, watched: int) -> None:
    """Of short runs as many as of long ones, as far as there are."""
    read: list[list[bytes]] = []
    runs = [[b"head", *[b"1"] * 6], [b"head", b"1"], [b"head", b"1", b"1"]]
    found = exercised(lambda lines: read.append([*lines]), runs, 1, most, seconds)
    assert (found.calls, found.of) == (watched, 9)
    assert sum(len(lines) - 1 for lines in read) == watched
    assert not any(lines == [] for lines in read)
    if most == 4:
        assert [len(lines) - 1 for lines in read] == [1, 1, 2]


def test_the_reference_is_read_whole() -> None:
    """Every module is known by the name that its code has, and every function with its branches."""
    from memoracle.impl import bitmap

    functions = branches.modules()[bitmap.Bitmap.allocate.__code__.co_filename].found
    assert bitmap.Bitmap.allocate.__code__.co_qualname in functions
    (branch,) = functions["Bitmap.allocate"]
    assert isinstance(branch, Branch)
    assert branch.place.startswith("impl/bitmap.py:")
