"""The trace of a run, as `drive` shows it."""

from __future__ import annotations

import json

import pytest

from memoracle.diagnostics.divergence import Divergence, Finding
from memoracle.report.check_report import subject_of
from memoracle.report.drive_report import MOST_SHOWN, shown


def test_what_a_target_says_is_not_obeyed() -> None:
    said = "\u202e\x9b2J ##vso[x] \U000e0001"
    line = json.dumps({"op": "frame.allocate", "error": said}, ensure_ascii=False).encode()
    (found,) = shown([line]).strip().splitlines()
    assert found.isprintable()
    assert "##vso[" not in found
    assert json.loads(found) == {"op": "frame.allocate", "error": said}


def test_of_many_lines_the_first_are_shown() -> None:
    for more, said in ((0, []), (1, ["... and 1 line more"]), (2, ["... and 2 lines more"])):
        lines = shown([b"{}"] * (MOST_SHOWN + more)).strip().splitlines()
        assert lines == ["{}"] * MOST_SHOWN + said


@pytest.mark.parametrize(
    ("outcome", "message", "said"),
    [
        ({"error": "refused"}, "it failed (refused), but it must succeed", "frame.allocate count=2 (_cpu=1)"),
        ({"crash": "panic"}, "it crashed (panic)", "frame.allocate count=2 (_cpu=1)"),
        ({"error": "no"}, "process 3 does not exist", "frame.allocate count=2 failed: no (_cpu=1)"),
        ({"result": 4096}, "frame 1 is allocated", "frame.allocate count=2 -> 0x1000 (_cpu=1)"),
    ],
)
def test_what_came_of_a_call_is_said_once(outcome: dict[str, object], message: str, said: str) -> None:
    event = {"op": "frame.allocate", "count": 2, **outcome, "_cpu": 1}
    assert subject_of(Divergence("a", 2, event, Finding("", "", message, ""))) == said
