"""Which line was the last to speak of a frame is known of each, however runs follow and cut each other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memoracle.replay.containers.run_lines import FAR, LINE, RunLines

FRAMES = 3 * FAR
NEAR_ENDS = st.one_of(st.integers(0, FRAMES - 1), st.sampled_from([0, 1, FAR - 1, FAR, FAR + 1, 2 * FAR, FRAMES - 1]))
RUNS = st.lists(st.tuples(NEAR_ENDS, st.integers(1, 9) | NEAR_ENDS), max_size=30)


@given(RUNS)
def test_each_frame_has_the_line_of_the_latest_run(runs: list[tuple[int, int]]) -> None:
    ours, theirs = RunLines(FRAMES), [0] * FRAMES
    for line, (first, count) in enumerate(runs, 1):
        run = min(max(count, 1), FRAMES - first)
        ours.note(first, run, line)
        theirs[first : first + run] = [line] * run
        assert [ours[frame] for frame in range(FRAMES)] == theirs


def test_one_frame_of_a_run_is_told_apart() -> None:
    lines = RunLines(FRAMES)
    lines.note(0, FRAMES, 7)
    lines[FAR] = 8
    assert [lines[frame] for frame in (FAR - 1, FAR, FAR + 1, FRAMES - 1)] == [7, 8, 7, 7]


def test_a_line_that_is_too_large_for_its_number_is_not_known() -> None:
    lines = RunLines(2)
    lines.note(0, 2, 5)
    lines.note(0, 2, 1 << LINE)
    assert (lines[0], lines[1]) == (0, 0)
