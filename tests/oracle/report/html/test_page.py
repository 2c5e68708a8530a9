"""A page as a text: what its script is given, and how many warnings are shown."""

from __future__ import annotations

import json

from memoracle.diagnostics.warned import Warned
from memoracle.report.html.page import MOST_WARNINGS, as_data, warnings_data


def test_what_a_script_is_given_can_be_shown() -> None:
    hostile = "</script>\x1b[31m\u202e\x00<!--&"
    text = as_data({"steps": [{hostile: hostile}, (hostile, 1, None)]})
    assert not {*"<>&"} & {*text}
    ((pair,), listed) = (each.items() if isinstance(each, dict) else each for each in json.loads(text)["steps"])
    assert pair[0] == pair[1] == listed[0]
    assert pair[0].isprintable()
    assert listed[1:] == [1, None]


def test_of_many_warnings_the_first_are_shown_and_the_others_counted() -> None:
    warnings = [Warned("a.jsonl", line, "spurious") for line in range(1, MOST_WARNINGS + 3)]
    told = warnings_data(warnings)
    assert [each["where"] for each in told] == [*(f"a.jsonl:{line}" for line in range(1, MOST_WARNINGS + 1)), ""]
    assert told[-1]["words"] == "and 2 warnings more"
    assert warnings_data(warnings[:MOST_WARNINGS]) == told[:-1]
