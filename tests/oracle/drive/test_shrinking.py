"""What is left of a sequence when calls are left out, each with what depends on it."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from memoracle.drive.requests import Request, requests_of, without
from memoracle.drive.shrinking import shortest

TRACE = [
    b'{"op":"frame.allocate","result":4096}',
    b'{"op":"frame.allocate","result":8192}',
    b'{"op":"frame.free","address":4096}',
    b'{"op":"frame.allocate","result":4096}',
    b'{"op":"frame.free","address":4097}',
    b'{"op":"frame.free","address":99}',
    b'{"op":"frame.allocate","error":"none"}',
    b'{"op":"frame.free","address":8192,"crash":"signal 11"}',
]


def test_an_address_stands_for_the_call_that_gave_it_last() -> None:
    needs = [each.needs for each in requests_of(TRACE)]
    assert needs == [{}, {}, {"address": (0, 0)}, {}, {"address": (3, 1)}, {}, {}, {"address": (1, 0)}]


def test_what_depends_on_a_call_goes_with_it() -> None:
    kept = without(requests_of(TRACE), {0, 6})
    assert [(each.operation, each.needs) for each in kept] == [
        ("frame.allocate", {}),
        ("frame.allocate", {}),
        ("frame.free", {"address": (1, 1)}),
        ("frame.free", {}),
        ("frame.free", {"address": (0, 0)}),
    ]


@given(st.sets(st.integers(0, 39), min_size=1, max_size=4))
def test_what_is_left_is_what_fails(needed: set[int]) -> None:
    requests = [Request("frame.is_free", {"address": place}, {}) for place in range(40)]

    def fails(some: Sequence[Request]) -> bool:
        return needed <= {each.arguments["address"] for each in some}

    assert {each.arguments["address"] for each in shortest(requests, fails, 60)} == needed
