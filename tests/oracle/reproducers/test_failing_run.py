"""The calls that led to a failure: what each takes from an earlier one, those of other instances among themselves."""

from __future__ import annotations

import json
from typing import Any

from memoracle.diagnostics.divergence import Finding
from memoracle.report.check_report import TraceResult
from memoracle.reproducers.failing_run import FailingRun, failing_run

TAKEN = {"op": "frame.allocate", "result": "0x1000"}
FREED = {"op": "frame.free", "address": "0x1001", "error": "amid"}


def of(*events: dict[str, Any]) -> FailingRun:
    lines = [json.dumps(each).encode() for each in events]
    return failing_run([], lines, Finding("", "", "", ""), lambda _: TraceResult(""))


def test_what_was_asked_of_others_takes_what_they_gave() -> None:
    own, other = {"_instance": 1}, {"_instance": 0}
    run = of(
        TAKEN | own,
        TAKEN | own | {"result": "0x2000", "_others": [TAKEN | other, FREED | other, {"op": "reset"} | other]},
        {"op": "frame.free", "address": "0x1000"} | own,
    )
    assert run.instance == 1
    assert [aside.before for aside in run.asides] == [1, 1, 1]
    assert [aside.request.needs for aside in run.asides] == [{}, {"address": (0, 1)}, {}]
    assert run.aside_said(1) == "frame.free address=frame_aside1 + 1 (instance 0)"
    assert run.said(2) == "frame.free address=frame1"


def test_the_instance_is_that_of_the_call_that_failed() -> None:
    assert of(TAKEN, FREED | {"_instance": 2}).instance == 2
    assert of(TAKEN).asides == ()
