"""Operations that overlap, drawn as bars: a row for each processor, time from left to right.

How long something took is not drawn, only what began or ended before what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from memoracle.console.counted import agreeing, counted
from memoracle.trace.decoding import CALL, CPU, RETURN
from memoracle.trace.quoting import shortened

MOST = 16  # operations
MOST_OF_NAME = 20  # characters of a processor's name
TIMES = {CPU, CALL, RETURN}


def has_no_order(window: Sequence[tuple[int, Any]]) -> str:
    """What is said of a window."""
    processors = len({str(event[CPU]) for _, event in window})
    order = "has no legal place" if len(window) == 1 else "have no legal order"
    return f"{counted(len(window), 'operation')} of {counted(processors, 'processor')} {order}"


def bars(window: Sequence[tuple[int, Any]], told: Callable[[Mapping[str, Any]], str]) -> list[str]:
    """The rows, and below them what each operation is; told: an event in one line."""
    shown = window[:MOST]
    ends = {0: [time_of(event[CALL]) for _, event in shown], 1: [time_of(event.get(RETURN)) for _, event in shown]}
    moments = sorted({(time, kind) for kind, times in ends.items() for time in times})
    step = len(str(len(shown))) + 2
    columns = {moment: place * step for place, moment in enumerate(moments)}
    rows: dict[str, list[str]] = {}
    for place, (_, event) in enumerate(shown):
        name = shortened(str(event[CPU]), MOST_OF_NAME)
        row = rows.setdefault(name, [" "] * (len(moments) * step))
        first, last = columns[ends[0][place], 0], columns[ends[1][place], 1]
        label = str(place + 1)
        row[first : last + 1] = ["├", *label.center(last - first - 1, "─"), "┤"]
    width = max(map(len, rows), default=0)
    found = [f"{CPU} {name:<{width}}  {''.join(row).rstrip()}" for name, row in sorted(rows.items(), key=by_number)]
    for place, (line, event) in enumerate(shown, 1):
        untimed = {key: value for key, value in event.items() if key not in TIMES}
        found.append(f"{place:>{step - 2}}  line {line}: {told(untimed)}")
    if (left := len(window) - len(shown)) > 0:
        found.append(f"and {left:,} more that {agreeing(left, 'begins', 'begin')} later")
    return found


def by_number(row: tuple[str, list[str]]) -> tuple[int, int, str]:
    name = row[0]
    return (0, int(name), name) if name.lstrip("-").isdigit() else (1, 0, name)


def time_of(value: object) -> float | int:
    """A time as an event has it; of a call without a return, one after all."""
    if value is None:
        return float("inf")
    return int(value, 16) if isinstance(value, str) else int(str(value))
