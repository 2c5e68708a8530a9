"""Calls that others make: each share by a seed of its own, and one that is lost is no success."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import pytest

from memoracle.commands.drive_spread import OF_TARGET, Calls, spread_over
from memoracle.drive.sessions.session import Share
from memoracle.scaling.workers import Lost, Workers
from memoracle.trace.inputs import InputError

SHARES = [Share(seed, 5) for seed in (7, 8, 9)]


class Telling:
    """Workers who tell what they were asked for, the last unit first."""

    def __init__(self, loses: int | None = None) -> None:
        self.loses = loses

    def done(self, work: Callable[[Any], Any], units: Sequence[Calls], *_: object) -> Iterator[tuple[int, Any]]:
        for place, unit in reversed([*enumerate(units)]):
            lost = unit.share.seed == self.loses
            yield place, Lost("it died") if lost else (unit.options["target"], unit.share)


def spread(workers: Telling) -> Iterator[tuple[int, Any]]:
    args = Namespace(**dict.fromkeys(OF_TARGET), jobs=3)
    args.target = "a.so"
    return spread_over(args, cast(Workers, workers))(SHARES)


def test_each_share_is_called_once() -> None:
    assert sorted(spread(Telling())) == [(place, ("a.so", share)) for place, share in enumerate(SHARES)]


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_what_comes_of_the_others_is_known_before_a_share_that_is_lost_is_an_error(seed: int) -> None:
    known = list[int]()
    with pytest.raises(InputError, match=f"a.so: the calls of seed {seed} came to nothing: it died"):
        known.extend(share.seed for _, (_, share) in spread(Telling(seed)))
    assert sorted([*known, seed]) == [7, 8, 9]
