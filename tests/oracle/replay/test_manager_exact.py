"""The reference manager against `check`, which composes the same components once more: one is held against the other.

Random runs of the manager are written out as traces that name every frame (see `manager_recorder`). Such a trace
conforms at level `exact`; with one answer changed, it does not. (test_manager_random.py has runs that misbehave, whose
tables are private.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

import msgspec
import pytest
from manager_recorder import GEOMETRY, Event, Recorder, recorded

from memoracle.diagnostics.divergence import Divergence
from memoracle.diagnostics.levels import EXACT, Rules
from memoracle.replay.dispatch import Replay


def divergences(events: Sequence[Event]) -> Iterator[Divergence]:
    lines = (msgspec.json.encode(event) for event in events)
    return iter(Replay(Rules(GEOMETRY, EXACT), "random").divergences(lines))


def changed(events: Sequence[Event], place: int, answer: Event) -> list[Event]:
    """The trace up to an event, which gets another answer."""
    asked = {key: value for key, value in events[place].items() if key not in ("result", "error", "frames")}
    return [*events[:place], asked | answer]


@pytest.mark.parametrize("tables_are_named", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_what_the_manager_does_conforms_and_with_one_answer_changed_it_does_not(
    seed: int, tables_are_named: bool
) -> None:
    random = Random(seed)
    recorder = recorded(Recorder(random, tables_are_named), 150)
    assert list(divergences(recorder.events)) == []
    place = random.choice([place for place, wrong in recorder.wrong.items() if wrong])
    wrong = changed(recorder.events, place, random.choice(recorder.wrong[place]))
    assert list(divergences(wrong)), wrong[-1]


@pytest.mark.parametrize("seed", range(12))
def test_a_table_that_is_not_what_it_should_be_is_named(seed: int) -> None:
    """One frame that is in use is taken for a table, or one that is no table's is given back."""
    random = Random(seed)
    recorder = recorded(Recorder(random, tables_are_named=True), 150)
    assert list(divergences(recorder.events)) == []
    place = random.choice([place for place, event in enumerate(recorder.events) if event.get("tables")])
    event = recorder.events[place]
    wrong = [*recorder.events[:place], event | {"tables": [*event["tables"], 0]}]
    assert [found.line for found in divergences(wrong)] == [place + 2]


def kind(event: Event) -> tuple[str, bool]:
    return event["op"], "error" in event


EVERY = [recorded(Recorder(Random(seed)), 150) for seed in range(16)]
KINDS = sorted({kind(each.events[place]) for each in EVERY for place, wrong in each.wrong.items() if wrong})


ALWAYS_ANSWERED = {"frame.is_free", "frame.free_count"}
OPERATIONS = {
    *("frame.allocate", "frame.free", "frame.get", "frame.put", "frame.is_free", "frame.free_count"),
    *("process.create", "process.exit"),
    *("range.allocate", "range.reserve", "range.free", "range.size", "range.list"),
    *("page.map", "page.unmap", "page.translate", "page.attributes", "kernel_pages.allocate", "kernel_pages.free"),
    *("pml4.read", "pml4.dump"),
}


def test_every_operation_of_the_manager_has_wrong_answers_whether_it_was_refused_or_not() -> None:
    assert {*KINDS} == {(op, no) for op in OPERATIONS for no in (False, True) if not (no and op in ALWAYS_ANSWERED)}


@pytest.mark.parametrize("of", KINDS, ids=str)
def test_each_kind_of_answer_is_checked(of: tuple[str, bool]) -> None:
    """Every wrong answer of this kind, in every run, at some of the places where it was given."""
    random = Random(str(of))
    for recorder in EVERY:
        places = [place for place, wrong in recorder.wrong.items() if wrong and kind(recorder.events[place]) == of]
        for place in random.sample(places, min(2, len(places))):
            for answer in random.sample(recorder.wrong[place], min(4, len(recorder.wrong[place]))):
                wrong = changed(recorder.events, place, answer)
                assert list(divergences(wrong)), wrong[-1]
