"""NumberBits held against the SortedSet that it stands in for."""

from __future__ import annotations

import random

import pytest
from sortedcontainers import SortedSet

from memoracle.proofs.counting.number_bits import NumberBits


def test_it_does_what_a_sorted_set_does() -> None:
    chance, bits, numbers = random.Random(1), NumberBits(), SortedSet()
    for _ in range(500):
        number = chance.randrange(16)
        assert (number in bits) == (number in numbers)
        if number in numbers:
            bits.remove(number)
            numbers.remove(number)
        else:
            bits.add(number)
            numbers.add(number)
        assert [*bits] == [*numbers]
        assert len(bits) == len(numbers)
        assert bool(bits) == bool(numbers)
        if numbers:
            assert bits[0] == numbers[0]


def test_it_refuses_what_a_sorted_set_refuses() -> None:
    with pytest.raises(KeyError):
        NumberBits().remove(1)
    with pytest.raises(IndexError):
        NumberBits()[0]
