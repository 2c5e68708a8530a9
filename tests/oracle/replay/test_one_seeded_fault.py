"""A manager errs once, in every way in which an operation can: whatever follows from that is named once."""

from __future__ import annotations

from random import Random
from typing import cast

import msgspec
import pytest
from faulty_manager import FAULTS, FaultyManager, Method
from manager_recorder import GEOMETRY, STEPS, Recorder, recorded

from memoracle.diagnostics.divergence import Divergence
from memoracle.diagnostics.levels import EXACT, LEGAL, Rules
from memoracle.impl.manager import Manager
from memoracle.replay.dispatch import Replay


def found(recorder: Recorder, level: str) -> list[Divergence]:
    lines = (msgspec.json.encode(event) for event in recorder.events)
    return list(Replay(Rules(GEOMETRY, level), "seeded").divergences(lines))


RANGES = [Recorder.allocate_range, Recorder.list_range, Recorder.size_of_range]


@pytest.mark.parametrize("others", [[], 4 * RANGES], ids=["", "ranges"])
@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_is_named_once(fault: str, others: list[Method]) -> None:
    """At both levels of what was recorded once: to record takes longer than to check."""
    step, method, errs = FAULTS[fault]
    steps = (*STEPS, *(8 * [step]), *others)
    numbers: dict[str, list[int]] = {LEGAL: [], EXACT: []}
    for seed in range(50):
        recorder = Recorder(Random(seed))
        manager = FaultyManager(recorder.manager, method, errs, seed % 3)
        recorder.manager = cast(Manager, manager)
        recorded(recorder, 120, steps)
        for level in numbers if manager.has_erred else ():
            divergences = found(recorder, level)
            assert len(divergences) <= 1, (level, seed, divergences)
            numbers[level].append(len(divergences))
    for level, named in numbers.items():
        assert sum(named) > len(named) / 3 > 4, (level, named)
