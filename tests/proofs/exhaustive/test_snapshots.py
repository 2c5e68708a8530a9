"""What an object is made of, and each way in which it may not have been left alone."""

from __future__ import annotations

import pickle
from array import array
from collections import deque
from collections.abc import Callable

import pytest
from sortedcontainers import SortedSet

from memoracle.proofs.contracts.scope import State
from memoracle.proofs.contracts.states import Copy
from memoracle.proofs.exhaustive.snapshots import Original


class Part:
    def __init__(self) -> None:
        self.number = 1 << 70


class Whole:
    """Has a part of each kind."""

    def __init__(self) -> None:
        self.numbers = [1, 2, 3]
        self.lists = [[1], [1]]
        self.empty: list[int] = []
        self.words = array("Q", [1, 2])
        self.members = {1, 2}
        self.sorted = SortedSet([1, 2])
        self.at = {1: 2, 3: 4}
        self.parts = {1: Part(), 2: Part()}
        self.pair = (Part(), 3)


def replaced(whole: Whole) -> None:
    whole.lists[0] = whole.lists[1]  # which is equal


def moved_to_the_end(whole: Whole) -> None:
    whole.at[1] = whole.at.pop(1)


def part_moved_to_the_end(whole: Whole) -> None:
    whole.parts[1] = whole.parts.pop(1)


CHANGES: dict[str, Callable[[Whole], object]] = {
    "an item of a list": lambda whole: whole.numbers.__setitem__(1, 5),
    "an item more": lambda whole: whole.empty.append(1),
    "a list in a list": lambda whole: whole.lists[1].append(2),
    "an equal list in the place of one": replaced,
    "an equal list in the place of an attribute": lambda whole: setattr(whole, "numbers", [1, 2, 3]),
    "a list in two attributes": lambda whole: setattr(whole, "empty", whole.numbers),
    "a word": lambda whole: whole.words.__setitem__(0, 9),
    "a member": lambda whole: whole.members.add(3),
    "a sorted member": lambda whole: whole.sorted.discard(1),
    "a value": lambda whole: whole.at.__setitem__(1, 3),
    "a key": lambda whole: whole.at.pop(3),
    "the order of keys": moved_to_the_end,
    "the order of parts": part_moved_to_the_end,
    "an attribute of a part": lambda whole: setattr(whole.parts[2], "number", 0),
    "an attribute of a part in a pair": lambda whole: setattr(whole.pair[0], "number", 0),
    "an attribute more": lambda whole: setattr(whole, "more", None),
    "an attribute fewer": lambda whole: delattr(whole, "empty"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_each_change_of_an_object_is_seen(kind: str) -> None:
    whole = Whole()
    original = Original(whole)
    assert original.is_whole()
    CHANGES[kind](whole)
    assert not original.is_whole()


@pytest.mark.parametrize("part", [deque([1]), bytearray(1), iter([1])])
def test_an_object_with_a_part_that_cannot_be_seen_is_never_known_to_be_whole(part: object) -> None:
    whole = Whole()
    vars(whole)["more"] = part
    assert not Original(whole).is_whole()


def test_a_copy_is_the_same_until_it_is_changed() -> None:
    copy = Copy(State(pickle.dumps([1, 2]), "a list"))
    first = copy.instance
    assert isinstance(first, list)
    assert copy.was_left()
    assert copy.instance is first
    first.append(3)
    assert not copy.was_left()
    assert copy.instance == [1, 2]
