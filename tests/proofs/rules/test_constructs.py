"""The code of the reference is made of listed constructs, and each that could tell a proof from a run is refused."""

from __future__ import annotations

import ast

import pytest

from memoracle.proofs.registry import COMPONENTS
from memoracle.proofs.rules.computations import computations
from memoracle.proofs.rules.constructs import FOLDER, Reading, complaints

START = """from __future__ import annotations

from array import array
from typing import NamedTuple, Protocol

from sortedcontainers import SortedSet

SIZE = 1 << 6


class Pair(NamedTuple):
    start: int
    end: int = 0


class Frames:
    def __init__(self, frames: int) -> None:
        self.frames = frames
        self.given: set[int] = set()

    def free(self, frame: int) -> bool:
{}
        return True
"""
IN_CODE = (
    "return (each for each in self.given)",
    "self.given = iter(each for each in self.given)",
    "if isinstance(frame, int): return False",
    "if type(frame) == int: return False",
    "if frame.__class__ == Pair: return False",
    "if int == SIZE: return False",
    "try:\n            frame + 1\n        except TypeError:\n            return False",
    "if id(frame) > 5: return False",
    "if hash(frame) == frame: return False",
    "if frame is 3: return False",
    "if frame is not self.frames: return False",
    "if frame is True: return False",
    "if getattr(frame, 'real', None) is None: return False",
    "if hasattr(frame, 'z'): return False",
    "if callable(frame): return False",
    "if f'{frame}' == '3': return False",
    "if str(frame) == '3': return False",
    "if repr(frame): return False",
    "if frame == 'three': return False",
    "if frame.real: return False",
    "if frame.denominator == 2: return False",
    "if frame / 2 == 1.0: return False",
    "if frame ** 2 == 4: return False",
    "import sys",
    "from inspect import stack",
    "global SIZE",
    "match frame:\n            case int(): return False",
    "with open('x'): pass",
    "yield frame",
    "raise ValueError",
    "Frames.given = self.given",
    "self.other = frame",
    "del self.given",
    "def inner() -> int: return 3",
    "self.given.update(frame)",
    "key = lambda item: item",
    "if (seen := frame): return False",
    "print(frame)",
    "if __name__ == SIZE: return False",
    "if vars(self): return False",
    "if Frames == SIZE: return False",
    "if self.free == SIZE: return bool(frame)",
    "[Frames][0](3)",
    "self.frames.__dict__",
    "if Pair.start: return False",
    "nothing_like_this(frame)",
)
OF_A_MODULE = (
    "GIVEN = set()",
    "GIVEN: set[int] = set()",
    "BLANK = [0] * 512",
    "TABLE = {1: 2}",
    "TYPES = ('a', 'b')",
    "MORE = SIZE, [SIZE]",
    "MADE = Frames(3)",
    "import sys",
    "from os import environ",
    "from functools import cache",
    "from typing import Any",
    "from memoracle.proofs import registry",
    "if SIZE: OTHER = 3",
    "for each in (1, 2): pass",
    "class Kept:\n    given = set()",
    "class Kept:\n    given: set[int] = set()",
    "class Kept:\n    frames = 3",
    "class Made(Frames):\n    pass",
    "class Made(metaclass=type):\n    '''Nothing.'''",
    "class Made:\n    def __eq__(self, other: object) -> bool:\n        return True",
    "class Row(NamedTuple):\n    entries: list[int] = []",
    "class Row(NamedTuple):\n    size: float = 0.0",
    "class Taken(Protocol):\n    def take(self) -> int:\n        return 3",
    "def kept(given: set[int] = set()) -> int:\n    return 3",
    "def kept(*, given: list[int] = []) -> int:\n    return 3",
    "def many(*numbers: int) -> int:\n    return 3",
    "def named(**numbers: int) -> int:\n    return 3",
    "@cache\ndef kept() -> int:\n    return 3",
    "async def waits() -> int:\n    return 3",
)


def found(text: str) -> list[str]:
    return [what for _, what in Reading(ast.parse(text)).complaints()]


def test_what_is_listed_is_accepted() -> None:
    body = """        words = array("Q", [0]) * self.frames
        for each in range(self.frames):
            if each is not None and words[each] == frame | ~SIZE:
                assert frame in self.given, "it was given"
                self.given.remove(frame)
        pair = Pair(frame, end=len(words))
        self.frames += max(pair.start, pair.end)"""
    assert found(START.format(body)) == found(START.format("")) == []


@pytest.mark.parametrize("code", IN_CODE)
def test_each_construct_in_code_that_is_not_listed_is_refused(code: str) -> None:
    assert found(START.format("        " + code))


@pytest.mark.parametrize("text", OF_A_MODULE)
def test_each_construct_of_a_module_that_is_not_listed_is_refused(text: str) -> None:
    assert found(START.format("") + text)


@pytest.mark.parametrize("component", COMPONENTS)
def test_the_reference_keeps_to_the_list(component: str) -> None:
    assert complaints(component) == []
    assert [each.run() for each in computations(component)] == [None] * len(computations(component))


def test_every_module_of_the_reference_is_read() -> None:
    read = {each.stem for each in FOLDER.glob("*.py")} - {"__init__"}
    from memoracle.proofs.parts import component_of

    assert {component_of(module) for module in read} == {*COMPONENTS}
