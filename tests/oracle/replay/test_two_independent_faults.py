"""A doubt hides no later fault: an operation that did nothing is named, and so is each wrong answer about other things.

First everything is asked, so that what is in doubt is settled. Then each question is answered wrongly that the first
fault has nothing to do with.
"""

from __future__ import annotations

from random import Random
from typing import cast

import msgspec
import pytest
from faulty_manager import FAULTS, FaultyManager, does_nothing
from manager_recorder import GEOMETRY, NEVER_MAPPED, PAGE, PLACES, STEPS, Event, Recorder, recorded

from memoracle.diagnostics.levels import LEGAL, Rules
from memoracle.impl.manager import Manager
from memoracle.replay.dispatch import Replay

NOT_DONE = [name for name, (_, _, errs) in FAULTS.items() if errs is does_nothing]
ANSWERS = 8  # tried after each fault


def replayed(events: list[Event], level: str) -> tuple[Replay, list[int]]:
    """What replayed these, and the lines of the divergences."""
    replay = Replay(Rules(GEOMETRY, level), "two")
    return replay, [each.line for each in replay.divergences(map(msgspec.json.encode, events))]


def translation(process: int, virtual: int, result: int | None) -> Event:
    return {"op": "page.translate", "process": process, "virtual": hex(virtual), "result": result}


def everything_asked(manager: Manager) -> list[Event]:
    """What the manager says of each page and each frame, and how many are free."""
    places = [(process, place) for process in manager.spaces.spaces for place in PLACES]
    events = [translation(process, place, manager.translate(process, place)) for process, place in places]
    for frame in range(GEOMETRY.frames):
        free = manager.bitmap.is_free(frame)
        events.append({"op": "frame.is_free", "address": frame * PAGE, "result": free})
    return [*events, {"op": "frame.free_count", "result": manager.bitmap.count()}]


def wrong_answers(replay: Replay, manager: Manager) -> list[Event]:
    """Wrong answers about each page and frame that is as the trace says."""
    wrong: list[Event] = []
    for process in [each for each in manager.spaces.spaces if replay.pages.lives(each)]:
        for place in PLACES:
            found = manager.translate(process, place)
            is_known = place < PLACES[3] or (process == 0 and place not in replay.pages.kernel_pages)
            if is_known and replay.pages.paging.translate(process, place) == found:
                wrong.append(translation(process, place, 20 * PAGE if found is None else None))
    for index in NEVER_MAPPED:
        wrong.append({"op": "pml4.read", "process": 0, "index": index, "result": 1})
    for frame in range(GEOMETRY.frames):
        free = manager.bitmap.is_free(frame)
        if replay.frames.bitmap.is_free(frame) == free:
            wrong.append({"op": "frame.is_free", "address": frame * PAGE, "result": not free})
    return wrong


@pytest.mark.parametrize("level", [LEGAL, "exact"])
@pytest.mark.parametrize("fault", NOT_DONE)
def test_wrong_answers_after_a_fault_are_named(fault: str, level: str) -> None:
    step, method, errs = FAULTS[fault]
    named = 0
    for seed in range(30):
        recorder = Recorder(Random(seed))
        faulty = FaultyManager(recorder.manager, method, errs, seed % 3)
        manager, recorder.manager = recorder.manager, cast(Manager, faulty)
        recorded(recorder, 120, (*STEPS, *(8 * [step])))
        if not faulty.has_erred:
            continue
        asked = recorder.events + everything_asked(manager)
        replay, first = replayed(asked, level)
        wrong_ones = wrong_answers(replay, manager)
        for wrong in Random(seed).sample(wrong_ones, min(ANSWERS, len(wrong_ones))):
            _, lines = replayed([*asked, wrong], level)
            assert lines == [*first, len(asked) + 2], (seed, wrong)
            named += bool(first)
    assert named > ANSWERS, named
