"""Ranges of which runs are handed out: for each clause by which the law refuses a call as it was made, such a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from misuses import Misuse
from run_events import CREATE, KERNEL, PAGE, PARTIAL, RUNS, allocate, at, op

from memoracle.replay.coverage import stakes_of
from memoracle.trace import events
from memoracle.trace.events import operation_of_kind
from memoracle.trace.geometry import geometry_from

GEOMETRIES = {"whole": RUNS, "partial": PARTIAL}
TAKEN = allocate(2, 0)
KERNEL_PAGES = op("kernel_pages.allocate", pages=2, frames=[2 * PAGE, 3 * PAGE], result=hex(KERNEL + 3 * PAGE))
del KERNEL_PAGES["process"]
ALIGNED, FREE, RESERVE = "addresses.address-is-aligned", "range.free", "range.reserve"
OF_BOTH = (
    Misuse("kernel_half.process-lives", (), op("range.allocate", 7, pages=1), at(0)),
    Misuse("runs.run-has-a-place", (CREATE,), op("range.allocate", pages=0), at(0)),
    Misuse("bitmap.alignment-is-a-power-of-two", (CREATE,), op("range.allocate", pages=1, alignment=3), at(0)),
    Misuse("kernel_half.process-lives", (), op(RESERVE, 7, address=at(0), pages=1)),
    Misuse(ALIGNED, (CREATE,), op(RESERVE, address=1, pages=1)),
    Misuse("runs.run-has-a-place", (CREATE,), op(RESERVE, address=at(0), pages=0)),
    Misuse("runs.run-lies-in-reach", (CREATE,), op(RESERVE, address=at(12), pages=2)),
    Misuse("runs.run-is-free", (CREATE, TAKEN), op(RESERVE, address=at(1), pages=2)),
    Misuse("kernel_half.process-lives", (), op(FREE, 7, address=at(0), pages=1)),
    Misuse(ALIGNED, (CREATE,), op(FREE, address=1, pages=1)),
    Misuse("runs.run-has-a-place", (CREATE,), op(FREE, address=at(0), pages=0)),
    Misuse("runs.run-lies-in-reach", (CREATE,), op(FREE, address=at(-1), pages=1)),
    Misuse("runs.frees-only-what-may-be-free", (CREATE,), op(FREE, address=at(12), pages=1)),
    Misuse("runs.frees-only-allocated", (CREATE, TAKEN), op(FREE, address=at(1), pages=2)),
    Misuse("manager.frees-no-kernel-block", (KERNEL_PAGES,), op(FREE, 0, address=at(3, 0), pages=2)),
    Misuse("kernel_half.process-lives", (), op("range.size", 7, address=at(0)), 0),
    Misuse("kernel_half.process-lives", (), op("range.list", 7), []),
    Misuse("runs.run-has-a-place", (), {"op": "kernel_pages.allocate", "pages": 0}, at(3, 0)),
)
PARTS = Misuse("runs.frees-a-whole-run", (CREATE, TAKEN), op(FREE, address=at(0), pages=1))
MISUSES = [(name, each) for name in GEOMETRIES for each in (*OF_BOTH, *((PARTS,) if name == "whole" else ()))]
ABOUT_RANGES = (
    events.RangeAllocate,
    events.RangeReserve,
    events.RangeFree,
    events.RangeSize,
    events.RangeList,
    events.KernelPagesAllocate,
)
each = pytest.mark.parametrize(
    ("name", "misuse"), MISUSES, ids=[f"{name}: {misuse.op}: {misuse.clause}" for name, misuse in MISUSES]
)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_every_rule_of_a_call_can_be_broken(name: str) -> None:
    stakes = stakes_of(geometry_from(GEOMETRIES[name]))
    due = {(operation_of_kind(kind), clause.name) for kind in ABOUT_RANGES for clause in stakes[kind].calls}
    assert {(misuse.op, misuse.clause) for of, misuse in MISUSES if of == name} == due


@each
def test_such_a_call_must_be_refused(check: Callable[..., Any], name: str, misuse: Misuse) -> None:
    geometry = GEOMETRIES[name]
    assert check(misuse.fails(), geometry=geometry).broken == []
    assert check(misuse.succeeds(), geometry=geometry).broken == [(misuse.line, misuse.clause)]
    untested = check(misuse.fails(), geometry=geometry).document["coverage"]["untested"].get(misuse.op, [])
    assert misuse.clause not in untested
    assert check(misuse.crashes(), geometry=geometry).broken == [(misuse.line, f"{misuse.op}.must-not-crash")]


@each
def test_unless_the_geometry_says_otherwise(check: Callable[..., Any], name: str, misuse: Misuse) -> None:
    for policy in ("ignore", "either"):
        geometry = GEOMETRIES[name] | {"misuse": {misuse.op: policy}}
        assert check(misuse.succeeds(), geometry=geometry).broken == []
        assert check(misuse.fails(), geometry=geometry).broken == []
    undefined = GEOMETRIES[name] | {"misuse": {misuse.op: "undefined"}}
    assert check(misuse.succeeds(), geometry=undefined).broken == []


def test_what_is_ignored_changes_nothing(check: Callable[..., Any]) -> None:
    ignored = RUNS | {"misuse": {FREE: "ignore"}}
    kept = [CREATE, TAKEN, op(FREE, address=at(0), pages=1), op("range.size", address=at(0), result=2)]
    assert check(kept, geometry=ignored).broken == []
