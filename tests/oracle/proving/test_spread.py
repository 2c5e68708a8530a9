"""Claims that others settle: each gets its own answer, from where it comes, and what is lost is unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import pytest

from memoracle.proofs.evidence import CONTRACT, Piece
from memoracle.proofs.named_claims import Named
from memoracle.proofs.obligations.discharge import Result
from memoracle.proofs.obligations.process_pool import Failure
from memoracle.proving import spread
from memoracle.scaling.workers import Lost, Workers


def piece(name: str, kind: str = "theorem") -> Piece:
    component = name.partition(".")[0]
    unsettled = Result(name, component, kind, "", "unbounded", "unknown", "z3", 0, 0, False, "", None)
    return Piece(unsettled, lambda: unsettled, use_cache=name != "b.anew")


GROUPS = [
    [piece("a.one"), piece("a.two")],
    [piece("b.kept")],
    [piece("a.three")],
    [piece("a.four", CONTRACT)],
    [piece("b.anew")],
    [piece("a.five")],
]


class Telling:
    """Workers who tell what they were asked for, the last unit first."""

    def __init__(self, count: int, loses: str = "") -> None:
        self.count, self.loses = count, loses

    def done(self, work: Callable[[Any], Any], units: Sequence[Named], *_: object) -> Iterator[tuple[int, Any]]:
        for place, unit in reversed([*enumerate(units)]):
            source = unit.source
            of = f"{source.component}{' contracts' * source.contracts}{' kept' * source.use_cache}"
            told = [[f"{of}: {name}" for name in group] for group in unit.groups]
            yield place, Lost("it died") if self.loses in sum(unit.groups, ()) else told


@pytest.mark.parametrize("count", [1, 2, 100])
def test_each_claim_gets_its_own_answer(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(spread, "durations", dict)
    found = [*spread.settling(None, cast(Workers, Telling(count)))(GROUPS)]
    assert len(found) == len(GROUPS)
    assert dict(found) == {
        0: ["a kept: a.one", "a kept: a.two"],
        1: ["b kept: b.kept"],
        2: ["a kept: a.three"],
        3: ["a contracts kept: a.four"],
        4: ["b: b.anew"],
        5: ["a kept: a.five"],
    }


def test_what_is_lost_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread, "durations", dict)
    found = dict(spread.settling(None, cast(Workers, Telling(1, "a.three")))(GROUPS))
    lost = [place for place, outcome in found.items() if outcome == Failure("it died")]
    assert 2 in lost
    assert found.keys() == {*range(len(GROUPS))}
    assert not {1, 3, 4} & {*lost}
