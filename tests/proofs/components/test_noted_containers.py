"""Stand-ins that note what is done to them behave as the dictionary, or the sequence, that they stand in for."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from standin_trials import can_be, can_fail, possible

from memoracle.proofs.components.buddy.spaces import Objects
from memoracle.proofs.components.manager.start import Pieces
from memoracle.proofs.symbolic.execution import EndOfRunError, Run, explore
from memoracle.proofs.symbolic.hypothesis_pool import Sort

SORTS = {name: Sort(name) for name in ("process", "first", "pages")}
PROCESSES = range(4)
TRIALS = settings(max_examples=25, deadline=None)


@TRIALS
@given(live=st.sets(st.sampled_from(PROCESSES)), process=st.sampled_from(PROCESSES))
def test_the_spaces_of_processes(live: set[int], process: int) -> None:
    spaces: dict[int, str] = dict.fromkeys(live, "a space")

    def known(run: Run) -> Objects:
        objects = Objects(run)
        for each in PROCESSES:
            run.assume(objects.has(each) == (each in spaces))
        return objects

    def asked(run: Run) -> None:
        objects = known(run)
        run.claim("whether it is there", run.call(lambda: process in objects) == (process in spaces))
        run.claim("whether it is found", (run.call(objects.get, process) is None) == (spaces.get(process) is None))
        run.call(objects.__setitem__, process, "another")
        run.claim(
            "what is put is noted, and nothing is taken", (objects.put, objects.taken) == ([(process, "another")], [])
        )

    def deleted(run: Run) -> None:
        objects = known(run)
        run.call(objects.__delitem__, process)
        run.claim("what is deleted is noted", objects.taken == [process])

    runs = explore(SORTS, asked)
    assert not any(can_fail(run, False) for run in runs)
    assert any(possible(run, False, *run.conditions) for run in runs)
    assert any(can_fail(run, False) for run in explore(SORTS, deleted)) == (process not in spaces)


@TRIALS
@given(pieces=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=3))
def test_the_reserved_pieces(pieces: list[tuple[int, int]]) -> None:
    same: dict[int, list[Any]] = {}

    def body(run: Run) -> None:
        source, found = Pieces(run), list[tuple[Any, Any]]()

        def go() -> None:
            for piece in source:
                if len(found) == len(pieces):
                    raise EndOfRunError
                found.append(piece)
                source.at_hand = None  # it is fixed

        run.call(go)
        if len(found) == len(pieces):
            both = (
                (got, due)
                for one, other in zip(found, pieces, strict=True)
                for got, due in zip(one, other, strict=True)
            )
            same[id(run)] = [got == due for got, due in both]

    runs = explore(SORTS, body)
    assert not any(can_fail(run, False) for run in runs)
    assert any(can_be(run, False, *same[id(run)]) for run in runs if id(run) in same)
