"""What stands in for the parts of runs behaves as these do (see `standin_trials.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from standin_trials import KEYS, MODES, PROBES, VALUES, agree, fails_on_some_path, has_of, value_of

from memoracle.proofs.components.runs.symbolic_run_index import Maps
from memoracle.proofs.symbolic.containers import any_of
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.numbers import number
from memoracle.spec.clauses import neg

MAP_STEPS = st.one_of(
    st.tuples(KEYS, VALUES).map(lambda pair: lambda mapping: mapping.__setitem__(*pair)),
    KEYS.map(lambda key: lambda mapping: mapping.get(key, 0)),
    KEYS.map(lambda key: lambda mapping: mapping.get(key)),
    KEYS.map(lambda key: lambda mapping: key in mapping),
    KEYS.map(lambda key: lambda mapping: mapping.__delitem__(key)),
)
Contents = list[dict[int, int]]


def maps_of(contents: Contents, run: Run) -> Maps:
    def has(index: Any, key: Any) -> Any:
        return any_of([(number(index) == place) & has_of([*each])(key) for place, each in enumerate(contents)])

    at = value_of({(place, key): value for place, each in enumerate(contents) for key, value in each.items()})
    return Maps(run, has, at, number(len(contents)))


@MODES
@settings(max_examples=40, deadline=None)
@given(
    contents=st.lists(st.dictionaries(KEYS, VALUES, max_size=3), min_size=1, max_size=3),
    steps=st.lists(st.tuples(st.integers(0, 3), MAP_STEPS), max_size=5),
)
def test_a_list_of_dictionaries(integers: bool, contents: Contents, steps: list[tuple[int, Any]]) -> None:
    def same(stand_in: Maps, real: Contents) -> Iterator[Any]:
        for place, each in enumerate(real):
            for probe in PROBES:
                has, at = (partial(of, number(place), number(probe)) for of in (stand_in.has, stand_in.at))
                yield has() & (at() == each[probe]) if probe in each else neg(has())

    at = [lambda lists, index=index, step=step: step(lists[index]) for index, step in steps]
    agree(integers, lambda run: (maps_of(contents, run), [dict(each) for each in contents]), at, same)


@MODES
def test_no_other_dictionary_is_looked_at(integers: bool) -> None:
    fails_on_some_path(lambda run: run.call(lambda: maps_of([{1: 2}], run)[1].get(1, 0)), integers)
