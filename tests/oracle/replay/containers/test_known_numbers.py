"""KnownNumbers answer as what they remember, and no more of it than they may."""

from __future__ import annotations

import pytest

from memoracle.replay.containers.known_numbers import KnownNumbers
from memoracle.trace.numbers import LONGEST_READ, MOST_READ, BadNumber


def test_a_number_is_asked_for_once() -> None:
    asked = list[int]()

    def half(number: int) -> int | None:
        asked.append(number)
        return None if number % 2 else number // 2

    known = KnownNumbers(half)
    assert [known["0x10"], known["0x10"], known[16], known["0x11"], known["0x11"]] == [8, 8, 8, None, None]
    assert asked == [16, 16, 17]
    with pytest.raises(BadNumber):
        known["16"]
    assert "16" not in known


def test_what_is_remembered_is_bounded() -> None:
    known = KnownNumbers(abs)
    assert known["0x" + "0" * LONGEST_READ] == 0
    assert not known
    for number in range(MOST_READ + 1):
        assert known[number] == number
    assert len(known) == 1
