"""The stand-in for a list of blocks is held against a list."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from standin_trials import MODES, agree

from memoracle.proofs.components.buddy.listing import BlockList
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.numbers import number

ENTRIES = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4), st.booleans()), max_size=3)


@MODES
@settings(max_examples=10, deadline=None)
@given(before=ENTRIES, added=ENTRIES)
def test_a_list_of_blocks(
    integers: bool, before: list[tuple[int, int, bool]], added: list[tuple[int, int, bool]]
) -> None:
    def both(run: Run) -> tuple[Any, Any]:
        stand_in = BlockList(0, lambda place: (0, 0, False), lambda place: True, lambda entry: entry[2])
        for entry in before:
            stand_in.append(entry)
        return stand_in, list(before)

    def same(stand_in: Any, real: list[tuple[int, int, bool]]) -> Any:
        yield number(stand_in.length) == len(real)
        for place, (first, pages, allocated) in enumerate(real):
            found = stand_in.at(number(place))
            yield number(found[0]) == first
            yield number(found[1]) == pages
            yield found[2] == allocated
            yield stand_in.is_block_at(number(place)) == allocated

    agree(integers, both, [lambda listing, entry=entry: listing.append(entry) for entry in added], same)
