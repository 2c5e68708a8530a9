"""What is due of the call that failed, as a condition that any lawful implementation meets.

The law itself is never written down here: what is legal is asked of `check`, by showing it the same run with another
outcome of its last call, or that call alone on a machine that has just started.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from memoracle.diagnostics.divergence import PREFERS, REFUSAL
from memoracle.drive.requests import GIVERS
from memoracle.reproducers.due import HOLDS, REFUSES, RETURNS, SUCCEEDS, Due
from memoracle.reproducers.failing_run import FailingRun, ReproducerError, refused, refuses, succeeds_with
from memoracle.reproducers.histories import depends_on_answers
from memoracle.reproducers.legal_places import legal_place
from memoracle.reproducers.live_blocks import live_blocks, size_of
from memoracle.spec.geometry import Geometry

NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d[\d,]*")
MOST_CANDIDATES = 32


def due_of(run: FailingRun, geometry: Geometry) -> Due:
    """Raises ReproducerError where no condition can be given."""
    due = _due(run, geometry)
    return replace(due, given=_recorded(run)) if depends_on_answers(run, due, geometry) else due


def _due(run: FailingRun, geometry: Geometry) -> Due:
    last, says = run.last, run.finding.says
    if "crash" in last:
        return Due(RETURNS, says)
    if refused(last):
        return Due(SUCCEEDS, says)
    is_policy = run.finding.clause.endswith(f".{PREFERS}")
    conditions = _place(run, geometry) if last["op"] in GIVERS and not is_policy else ()
    if conditions:
        return Due(HOLDS, says, conditions)
    may_refuse = run.conforms(*run.events[:-1], refuses(last))
    if may_refuse and (run.finding.legal == REFUSAL or "result" not in last):
        return Due(REFUSES, says)
    if "result" not in last:
        raise ReproducerError("neither a success nor a refusal is legal after these calls")
    mine, answer = run.variable(len(run.events) - 1), _answer(run)
    if answer is not None:
        return Due(HOLDS, says, (f"{mine} == {answer!r}",), may_refuse, answer)
    return Due(HOLDS, says, (f"{mine} != {last['result']!r}",), may_refuse, given=_recorded(run))


def _overlapping(run: FailingRun, geometry: Geometry) -> tuple[str, ...]:
    """That the last block is apart from all others, if it is not: first from those that it overlaps."""
    last = run.last
    start, size = last["result"], size_of(last, geometry)
    pieces = live_blocks(run, geometry)
    wrong = [piece for piece in pieces if piece.start < start + size and start < piece.end]
    if not wrong:
        return ()
    mine = run.variable(len(run.events) - 1)
    if last["op"] == "process.create":
        return tuple(f"{mine} != {piece.text}" for piece in pieces)
    others = [piece for piece in pieces if piece not in wrong]
    return tuple(
        f"{mine} + {size} <= {piece.text} or {piece.text} + {piece.size} <= {mine}" for piece in (*wrong, *others)
    )


def _place(run: FailingRun, geometry: Geometry) -> tuple[str, ...]:
    """Of a call that hands something out: what is wrong with where it lies."""
    found = _overlapping(run, geometry)
    if found:
        return found
    condition = legal_place(run, run.variable(len(run.events) - 1))
    return () if condition is None else (condition,)


def _answer(run: FailingRun) -> Any:
    """The answer that is legal, if it is among those that the finding names."""
    tried = _candidates(run.finding.legal, run.last["result"])
    return next((each for each in tried if run.conforms(*run.events[:-1], succeeds_with(run.last, each))), None)


def _candidates(legal: str, seen: Any) -> list[Any]:
    numbers = [int(each.replace(",", ""), 0 if each[:2] == "0x" else 10) for each in NUMBER.findall(legal)]
    return [True, False] if isinstance(seen, bool) else numbers[:MOST_CANDIDATES]


def _recorded(run: FailingRun) -> tuple[str, ...]:
    """That earlier calls gave what they gave in the run: where blocks of a heap lie, beside the first of them."""
    conditions: list[str] = []
    first: tuple[str, int] | None = None
    for place, event in enumerate(run.events[:-1]):
        if event["op"] not in GIVERS or refused(event):
            continue
        name, result = run.variable(place), event["result"]
        if not event["op"].startswith("heap."):
            conditions.append(f"{name} == {result}")
        elif first is None:
            first = name, result
        else:
            conditions.append(f"{name} - {first[0]} == {result - first[1]}")
    return tuple(conditions)
