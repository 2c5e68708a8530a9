"""A timeline as the page draws it: its steps, and the states between them, each once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from memoracle.diagnostics.divergence import Finding
from memoracle.report.check_report import told
from memoracle.timeline.course import OF_LOG, OF_ORDER, OF_TRACE
from memoracle.timeline.timeline import Step, Timeline
from memoracle.trace.decoding import CALL, RETURN
from memoracle.trace.quoting import shortened

MOST_OF_EVENT = 400  # characters
# Of two states side by side: their names, what joins two values, what is said where nothing differs, and at the end.
WORDS = {
    "before": "Before",
    "after": "After",
    "then": "then",
    "same": "Nothing that is drawn changes.",
    "end": "here it diverges",
    "last": "The law has no such step, so what is drawn stays as it was.",
    "step": "Step",
    "steps": "steps",
    "lead": "",
    "call": "call",
    "frame": "frame",
    "frames": "Frames",
    "runs": "Runs of frames",
    "in_hexadecimal": "",
}
# What of these differs where the steps are no calls one after another.
OTHER_WORDS = {
    OF_TRACE: WORDS,
    OF_ORDER: {
        **WORDS,
        "end": "it has no place in any order",
        "lead": "An order of the operations that the law allows, as far as it goes. The last step has no place in any.",
    },
    OF_LOG: {
        **WORDS,
        "lead": "The last events of the log about these pages, or about objects on the same page. "
        "A log does not say how the machine was when it began.",
        "call": "event",
        "frame": "page",
        "frames": "Pages",
        "runs": "Blocks of pages",
        "in_hexadecimal": "yes",
    },
}


def timeline_data(timeline: Timeline) -> dict[str, Any]:
    """finding: of its last step.  states: numbered from 0, which the steps name; each names its parts."""
    states, parts = list[dict[str, int]](), Interned()
    steps = [step_data(step, states, parts) for step in timeline.steps]
    return {
        "page_size": timeline.geometry.page_size,
        "steps": steps,
        "states": states,
        "parts": parts.values,
        "finding": finding_data(timeline.divergence.finding),
        "words": OTHER_WORDS[timeline.kind],
    }


class Interned:
    """Values of which each is there once."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.places: dict[str, int] = {}

    def place(self, value: object) -> int:
        text = json.dumps(value)
        if text not in self.places:
            self.places[text] = len(self.values)
            self.values.append(value)
        return self.places[text]


def in_a_line(event: Mapping[str, Any]) -> str:
    """An event, as much of it as a page shows."""
    return shortened(told(event), MOST_OF_EVENT)


def step_data(step: Step, states: list[dict[str, int]], parts: Interned) -> dict[str, Any]:
    """states, parts: those that are named so far, to which what this step names is added."""
    for whole in (step.before, step.after):
        state = {name: parts.place(part) for name, part in whole.items()}
        if not states or states[-1] != state:
            states.append(state)
    after = len(states) - 1
    before = after if step.before == step.after else after - 1
    names = step.names
    return {
        "place": f"line {step.line}",
        "event": in_a_line({key: value for key, value in step.event.items() if key not in (CALL, RETURN)}),
        "passed_over": f"{step.passed_over:,} events" if step.passed_over > 1 else "one event" * step.passed_over,
        "before": before,
        "after": after,
        "left_out": step.left_out,
        "names": {
            "frames": list(names.frames),
            "pages": [[process, f"{each:#x}"] for process, pages in names.pages.items() for each in pages],
            "entries": list(names.entries),
            "objects": [f"{address:#x}" for address in names.blocks],
        },
    }


def finding_data(finding: Finding) -> dict[str, str]:
    """The rule that is broken, in words."""
    return rule_data(finding.says, finding.clause, finding.message, finding.legal)


def rule_data(says: str, clause: str, message: str, legal: str, source: str = "") -> dict[str, str]:
    """source: who states the rule, if it is not the law."""
    return {"says": says[:1].upper() + says[1:], "clause": clause, "message": message, "legal": legal, "source": source}
