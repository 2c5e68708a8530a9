"""What becomes of calls that the law refuses as they are made: by the geometry's policy, and where the call crashes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from misuses import CREATED, MISUSES, Misuse, op

from memoracle.trace.events import OPERATIONS

LEVELS = ("safe", "legal", "exact")
SMALL_PAGES = 16
each = pytest.mark.parametrize("misuse", MISUSES, ids=[f"{misuse.op}: {misuse.clause}" for misuse in MISUSES])
at_each_level = pytest.mark.parametrize("level", LEVELS)


@pytest.fixture
def with_policy(check: Callable[..., Any], small: dict[str, Any]) -> Callable[..., Any]:
    """Checks events under a policy of one operation."""

    def run(misuse: Misuse, policy: str, events: list[dict[str, Any]], *options: str) -> Any:
        return check(events, *options, geometry=small | {"misuse": {misuse.op: policy}})

    return run


@each
def test_a_success_diverges(check: Callable[..., Any], misuse: Misuse) -> None:
    assert check(misuse.succeeds()).broken == [(misuse.line, misuse.clause)]


@each
@at_each_level
@pytest.mark.parametrize("header", [{}, {"private_frames": True}], ids=["", "private frames"])
def test_a_refusal_conforms(check: Callable[..., Any], misuse: Misuse, level: str, header: dict[str, Any]) -> None:
    assert check(misuse.fails(), "--level", level, **header).broken == []


@each
@pytest.mark.parametrize("policy", ["ignore", "either", "undefined"])
def test_by_its_policy_it_may_succeed_or_be_refused(
    with_policy: Callable[..., Any], misuse: Misuse, policy: str
) -> None:
    assert with_policy(misuse, policy, misuse.succeeds()).broken == []
    assert with_policy(misuse, policy, misuse.fails()).broken == []


@each
def test_refuse_is_the_default(with_policy: Callable[..., Any], misuse: Misuse) -> None:
    assert with_policy(misuse, "refuse", misuse.succeeds()).broken == [(misuse.line, misuse.clause)]


@each
@at_each_level
def test_a_crash_is_never_legal(with_policy: Callable[..., Any], misuse: Misuse, level: str) -> None:
    for policy in ("refuse", "ignore", "either"):
        report = with_policy(misuse, policy, misuse.crashes(), "--level", level)
        assert report.broken == [(misuse.line, f"{misuse.op}.must-not-crash")]
        assert report.status == 1


@each
@at_each_level
def test_a_crash_may_be_undefined(with_policy: Callable[..., Any], misuse: Misuse, level: str) -> None:
    wrong = op("pat.register", result=1)  # after a crash nothing is judged
    report = with_policy(misuse, "undefined", [*misuse.crashes(), wrong], "--level", level)
    assert (report.status, report.broken) == (0, [])


@each
@pytest.mark.parametrize("policy", ["ignore", "either"])
def test_what_is_ignored_changes_nothing(with_policy: Callable[..., Any], misuse: Misuse, policy: str) -> None:
    """What answers the same before and after is the same state, as far as a trace can ask."""
    asked = questions(misuse)
    before = with_policy(misuse, policy, [*misuse.before, *asked])
    assert before.broken == []
    assert with_policy(misuse, policy, [*misuse.succeeds(), *asked]).broken == []


def questions(misuse: Misuse) -> list[dict[str, Any]]:
    """Of the state that the events before a misuse lead to."""
    ops = [event["op"] for event in misuse.before]
    taken = 2 if "kernel_pages.allocate" in ops else 0
    free = 13 if "boot" in ops else 14 - taken
    return [
        op("frame.free_count", result=free),
        *([op("range.size", process=1, address=0, result=2)] if "range.allocate" in ops else []),
        *([op("page.translate", process=1, virtual=0, result=3 << 21)] if "page.map" in ops else []),
        *([op("page.translate", virtual=0, result=None)] if "page.map" not in ops else []),
        *([op("range.size", process=1, address=0, result=0)] if ops == ["process.create"] else []),
        op("pml4.read", index=1, result=0),
    ]


@each
def test_what_an_undefined_call_could_change_is_not_judged(with_policy: Callable[..., Any], misuse: Misuse) -> None:
    part = misuse.op.partition(".")[0]
    wrong = {
        "frame": op("frame.free_count", result=3),
        "range": op("range.size", process=misuse.call.get("process", 0), address=0, result=9),
        "kernel_pages": op("frame.free_count", result=3),
        "heap": op("frame.free_count", result=3),
        "pml4": op("pml4.read", process=0, index=9, result=9),
    }
    if part in wrong and not misuse.op.endswith(("is_free", "size", "list", "read", "dump")):
        report = with_policy(misuse, "undefined", [*misuse.succeeds(), wrong[part]])
        assert report.broken == []
        assert f"undefined by this geometry [{misuse.clause}]" in report.document["warnings"][0]
    unconcerned = op("pat.register", result=1)
    assert with_policy(misuse, "undefined", [*misuse.succeeds(), unconcerned]).broken == [
        (misuse.line + 1, "pat.reads-the-register")
    ]


def test_every_operation_that_can_be_refused_is_in_it() -> None:
    never = {"frame.allocate", "frame.free_count", "process.create", "pat.register"}
    assert {misuse.op for misuse in MISUSES} == OPERATIONS - never


UPPER_HALF = op("page.map", process=1, virtual=hex(0xFFFF900000000000), physical=3 << 21)


def test_whether_a_process_may_map_the_upper_half_is_a_policy(check: Callable[..., Any], small: dict[str, Any]) -> None:
    refused = [CREATED, UPPER_HALF | {"error": "not yours"}]
    assert check(refused).broken == [(3, "page.map.must-succeed")]
    assert check([CREATED, UPPER_HALF]).status == 0
    for policy in ("refuse", "ignore", "either", "undefined"):
        named = small | {"misuse": {"page.map": policy}}
        assert check(refused, geometry=named).status == 0
        assert check([CREATED, UPPER_HALF], geometry=named).status == 0
        crash = [CREATED, UPPER_HALF | {"crash": "panic"}]
        assert check(crash, geometry=named).status == (0 if policy == "undefined" else 1)
        own = UPPER_HALF | {"process": 0, "error": "no"}
        assert check([own], geometry=named).broken == [(2, "page.map.must-succeed")]
