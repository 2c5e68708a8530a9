"""Whichever way the solver is asked, a definite answer is the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st

from memoracle.proofs.obligations.solver import AT_ONCE, Way, ask, text_of

numbers = st.integers(0, 3)


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of these tests' own, so that nothing of the proofs' goes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def facts(integers: bool) -> st.SearchStrategy[z3.BoolRef]:
    """Something about three numbers and an unknown function of them."""
    sort = z3.IntSort() if integers else z3.BitVecSort(8)
    items, f = [z3.Const(name, sort) for name in "xyz"], z3.Function("f", sort, sort)
    item = st.sampled_from(items)
    terms = st.one_of(
        item, item.map(f), numbers.map(lambda number: z3.IntVal(number) if integers else z3.BitVecVal(number, 8))
    )
    pairs = st.tuples(terms, terms, numbers)
    equal = pairs.map(lambda each: each[0] == each[1] + each[2])
    other = pairs.map(lambda each: each[0] != each[1] + each[2])
    below = pairs.map(lambda each: each[0] <= each[1] + each[2])
    return st.one_of(equal, other, below)


@pytest.mark.parametrize("way", sorted({*AT_ONCE, Way.BY_AND_BY} - {Way.AT_ONCE}))
@pytest.mark.parametrize("integers", [False, True])
@settings(max_examples=50)
@given(data=st.data())
def test_the_answer_is_that_of_all_at_once(integers: bool, way: Way, data: st.DataObject) -> None:
    text = text_of(data.draw(st.lists(facts(integers), min_size=1, max_size=8)), integers)
    at_once, found = ask(text, use_cache=False), ask(text, use_cache=False, way=way)
    assert at_once.verdict != "unknown"
    assert found.verdict == at_once.verdict
