"""Where a block may lie at all, whatever else is in use: asked of `check`, about a machine that has just started."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from memoracle.reproducers.failing_run import Event, FailingRun, succeeds_with

ADDRESS_BITS = 64
SAMPLES = 16  # places between two legal ones that are asked about


def legal_place(run: FailingRun, variable: str) -> str | None:
    """What no place like the last call's meets, as a condition of the variable that has it; None if it is legal."""
    legal, seen = _asked(run), run.last["result"]
    found = None if legal(seen) else _near(legal, seen)
    step = None if found is None else _step(legal, found)
    if found is None or step is None:
        return None
    if (seen - found) % step:
        return f"{variable} % {step} == {found % step}"
    low, high = _nearest(legal, seen, -step), _nearest(legal, seen, step)
    first, last = (0 if low is None else low + step, 1 << ADDRESS_BITS if high is None else high)
    random = Random(1)
    if any(legal(seen + (random.randrange(first, last) - seen) // step * step) for _ in range(SAMPLES)):
        return None
    sides = ([] if low is None else [f"{variable} <= {low}"]) + ([] if high is None else [f"{high} <= {variable}"])
    return " or ".join(sides) or None


def _near(legal: Callable[[int], bool], seen: int) -> int | None:
    """A legal place."""
    for bits in range(ADDRESS_BITS):
        distance = 1 << bits
        below = seen >> bits << bits
        for place in (below, below + distance, seen - distance, seen + distance):
            if legal(place):
                return place
    return None


def _step(legal: Callable[[int], bool], found: int) -> int | None:
    """How far apart legal places are."""
    steps = (1 << bits for bits in range(ADDRESS_BITS))
    return next((step for step in steps if legal(found - step) or legal(found + step)), None)


def _asked(run: FailingRun) -> Callable[[int], bool]:
    """Whether a call like the last may give a place on a machine on which nothing else was asked."""
    last, known = run.last, dict[int, bool]()
    before: list[Event] = []
    if last.get("process"):
        before = [{"op": "process.create", "result": last["process"]}]
    if last["op"] == "heap.resize":
        last = {"op": "heap.new", **{key: last[key] for key in ("bytes", "alignment") if key in last}}

    def legal(place: int) -> bool:
        if not 0 <= place < 1 << ADDRESS_BITS:
            return False
        if place not in known:
            known[place] = run.conforms(*before, succeeds_with(last, place))
        return known[place]

    return legal


def _nearest(legal: Callable[[int], bool], seen: int, step: int) -> int | None:
    """The legal place that is nearest in one direction, in steps, as far as ever longer ones find one."""
    illegal, reach = 0, 1
    while 0 <= seen + step * reach < 1 << ADDRESS_BITS:
        if legal(seen + step * reach):
            while reach - illegal > 1:
                middle = (illegal + reach) // 2
                if legal(seen + step * middle):
                    reach = middle
                else:
                    illegal = middle
            return seen + step * reach
        illegal, reach = reach, reach * 2
    return None
