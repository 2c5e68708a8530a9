"""SparseLines, held against a list of numbers."""

from __future__ import annotations

import random

import pytest

from memoracle.replay.containers.sparse_lines import GROUP, LAST, MOST, SparseLines

FRAMES = 3 * GROUP - 7


def test_each_frame_has_the_line_that_spoke_of_it_last() -> None:
    chance, lines, plain = random.Random(1), SparseLines(FRAMES), [0] * FRAMES
    of_few = [*range(GROUP, GROUP + MOST - 1), FRAMES - 1]
    for line in range(1, 3 * GROUP):
        frame = chance.choice(of_few) if line % 3 else chance.randrange(GROUP)
        lines[frame] = plain[frame] = line
        assert lines[frame] == line
    assert [lines[frame] for frame in range(FRAMES)] == plain
    assert {len(each or ()) == GROUP for each in lines.lines} == {True, False}


def test_frames_in_a_row_are_spoken_of_at_once() -> None:
    chance, lines, plain = random.Random(2), SparseLines(FRAMES), [0] * FRAMES
    for line in range(1, 2000):
        first = chance.choice([0, GROUP, 2 * GROUP, chance.randrange(FRAMES)])
        last = chance.choice([first, GROUP, 2 * GROUP, FRAMES, chance.randrange(FRAMES)])
        if line % 40:
            lines[first] = plain[first] = line
        elif first <= last:
            lines.note(first, last - first, line)
            plain[first:last] = [line] * (last - first)
        assert lines[first] == plain[first]
        assert lines[line % FRAMES] == plain[line % FRAMES]
        if not line % 100:
            assert [lines[frame] for frame in range(FRAMES)] == plain


def test_it_takes_the_numbers_that_a_view_takes() -> None:
    lines = SparseLines(FRAMES)
    lines[5] = LAST
    with pytest.raises(ValueError, match=str(LAST + 1)):
        lines[5] = LAST + 1
    with pytest.raises(ValueError, match=str(LAST + 1)):
        lines.note(0, FRAMES, LAST + 1)
    assert lines[5] == LAST
