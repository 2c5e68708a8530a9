"""Operations that overlap, drawn as bars: a row for each processor, time from left to right.

How long something took is not drawn, only what began or ended before what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from memoracle.console.counted import agreeing, counted
from memoracle.timeline.neighbourhood import time_of
from memoracle.trace.decoding import CALL, CPU, RETURN
from memoracle.trace.quoting import shortened

MOST = 16  # operations
MOST_OF_NAME = 20  # characters of a processor's name
TIMES = {CPU, CALL, RETURN}


def has_no_order(window: Sequence[tuple[int, Any]], cut_short: bool = False) -> str:
    """What is said of a window. cut_short: the budget ended before a shorter one was looked for to the end."""
    processors = len({str(event[CPU]) for _, event in window})
    order = "has no legal place" if len(window) == 1 else "have no legal order"
    more = "; whether fewer have none is not known, since the budget ended" if cut_short else ""
    return f"{counted(len(window), 'operation')} of {counted(processors, 'processor')} {order}{more}"


@dataclass(frozen=True)
class Bar:
    """An operation. number: from 1, in the order of calls.  processor: its name.

    first, last: the places of its call and its return among all moments at which something begins or ends.
    """

    number: int
    line: int
    event: Mapping[str, Any]
    processor: str
    first: int
    last: int


def laid_out(operations: Sequence[tuple[int, Any]]) -> list[Bar]:
    """Where the bars of operations lie that are in the order of their calls."""
    ends = {0: [time_of(event[CALL]) for _, event in operations]}
    ends[1] = [time_of(event.get(RETURN)) for _, event in operations]
    moments = sorted({(time, kind) for kind, times in ends.items() for time in times})
    places = {moment: place for place, moment in enumerate(moments)}
    return [
        Bar(
            place + 1,
            line,
            event,
            shortened(str(event[CPU]), MOST_OF_NAME),
            places[ends[0][place], 0],
            places[ends[1][place], 1],
        )
        for place, (line, event) in enumerate(operations)
    ]


def processors(laid: Sequence[Bar]) -> list[str]:
    """The names of those that have a bar, in order."""
    return sorted({bar.processor for bar in laid}, key=by_number)


def untimed(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event without what its bar says."""
    return {key: value for key, value in event.items() if key not in TIMES}


def bars(window: Sequence[tuple[int, Any]], told: Callable[[Mapping[str, Any]], str]) -> list[str]:
    """The rows, and below them what each operation is; told: an event in one line."""
    laid = laid_out(window[:MOST])
    step = len(str(len(laid))) + 2
    rows = {name: [" "] * ((max(bar.last for bar in laid) + 1) * step) for name in processors(laid)}
    for bar in laid:
        first, last = bar.first * step, bar.last * step
        rows[bar.processor][first : last + 1] = ["├", *str(bar.number).center(last - first - 1, "─"), "┤"]
    width = max(map(len, rows), default=0)
    found = [f"{CPU} {name:<{width}}  {''.join(row).rstrip()}" for name, row in rows.items()]
    found += [f"{bar.number:>{step - 2}}  line {bar.line}: {told(untimed(bar.event))}" for bar in laid]
    if (left := len(window) - len(laid)) > 0:
        found.append(f"and {left:,} more that {agreeing(left, 'begins', 'begin')} later")
    return found


def by_number(name: str) -> tuple[int, int, str]:
    return (0, int(name), name) if name.lstrip("-").isdigit() else (1, 0, name)
