"""The trace of a run, as `drive` shows it."""

from __future__ import annotations

import json

from memoracle.report.drive_report import MOST_SHOWN, shown


def test_what_a_target_says_is_not_obeyed() -> None:
    said = "\u202e\x9b2J ##vso[x] \U000e0001"
    line = json.dumps({"op": "frame.allocate", "error": said}, ensure_ascii=False).encode()
    (found,) = shown([line]).strip().splitlines()
    assert found.isprintable()
    assert "##vso[" not in found
    assert json.loads(found) == {"op": "frame.allocate", "error": said}


def test_of_many_lines_the_first_are_shown() -> None:
    lines = shown([b"{}"] * (MOST_SHOWN + 2)).strip().splitlines()
    assert lines == ["{}"] * MOST_SHOWN + ["... and 2 lines more"]
