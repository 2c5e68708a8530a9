"""Stand-ins that note what is done to them behave as the sequence that they stand in for."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from standin_trials import can_be, can_fail

from memoracle.proofs.components.manager.start import ReservedPieces
from memoracle.proofs.symbolic.execution import EndOfRunError, Run, explore
from memoracle.proofs.symbolic.hypothesis_pool import Sort

SORTS = {name: Sort(name) for name in ("first", "pages")}
TRIALS = settings(max_examples=12, deadline=None)


@TRIALS
@given(pieces=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=3))
def test_the_reserved_pieces(pieces: list[tuple[int, int]]) -> None:
    same: dict[int, list[Any]] = {}

    def body(run: Run) -> None:
        source, found = ReservedPieces(run), list[tuple[Any, Any]]()

        def go() -> None:
            for piece in source:
                if len(found) == len(pieces):
                    raise EndOfRunError
                found.append(piece)
                source.current = None  # it is fixed

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
