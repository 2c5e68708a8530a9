"""A copy of a replay goes its own way: what happens to it, the original never shows, and the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from memoracle.concurrent.copies import copied
from memoracle.replay.dispatch import Replay
from memoracle.trace.decoding import decode_event
from tests.oracle.concurrent.histories import HISTORIES, Event, changed, encoded, replay_of


def found(replay: Replay, events: Sequence[Event], first_line: int) -> list[tuple[str, str] | None]:
    findings = [replay.step(decode_event(encoded(each)), first_line + place) for place, each in enumerate(events)]
    return [None if each is None else (each.clause, each.legal) for each in findings]


@pytest.mark.parametrize("kind", HISTORIES)
def test_neither_shows_what_happens_to_the_other(kind: str) -> None:
    diverging = 0
    for seed in range(12):
        chance = Random(f"{kind} {seed}")
        events = HISTORIES[kind](chance, 30)
        half = len(events) // 2
        others = [changed(each, chance) for each in events[half:]]  # most of these are faults, which leave doubts
        alone, original = replay_of(kind), replay_of(kind)
        expected = found(alone, events, 2)
        assert found(original, events[:half], 2) == expected[:half]
        copy, other = copied(original), copied(original)
        diverging += any(found(copy, others, 2 + half))
        assert found(other, events[half:], 2 + half) == expected[half:]
        assert found(original, events[half:], 2 + half) == expected[half:]
        assert found(copied(other), others, 2) == found(other, others, 2)
    assert diverging


class Handle:
    """What nothing is known of."""


def test_what_cannot_be_copied_is_refused() -> None:
    replay = replay_of("frames")
    replay.answered.add(Handle())
    with pytest.raises(TypeError, match="Handle"):
        copied(replay)
