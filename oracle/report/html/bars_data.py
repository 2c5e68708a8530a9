"""Operations that overlap, as the page draws them: a lane for each processor, time from left to right."""

from __future__ import annotations

from typing import Any

from memoracle.console.counted import counted
from memoracle.diagnostics.divergence import Divergence
from memoracle.report.bars import has_no_order, laid_out, processors, untimed
from memoracle.report.html.timeline_data import in_a_line
from memoracle.timeline.neighbourhood import Neighbourhood
from memoracle.trace.decoding import CPU

LEFT, LANE, STEP = 130, 40, 34  # pixels: of the names, a lane, and from one moment to the next


def bars_data(near: Neighbourhood, divergence: Divergence) -> dict[str, Any]:
    """divergence: that has a window of operations that have no order."""
    laid = laid_out(near.operations)
    names = processors(laid)
    moments = max(bar.last for bar in laid) + 1
    rows = [{"name": f"{CPU} {name}", "y": LANE * place + LANE // 2} for place, name in enumerate(names)]
    drawn = [
        {
            "number": bar.number,
            "line": bar.line,
            "event": in_a_line(untimed(bar.event)),
            "processor": bar.processor,
            "inside": bar.line in near.inside,
            "x": LEFT + bar.first * STEP,
            "width": max((bar.last - bar.first) * STEP, STEP // 2),
            "y": LANE * names.index(bar.processor) + LANE // 2,
        }
        for bar in laid
    ]
    inside = ", ".join(str(bar.number) for bar in laid if bar.line in near.inside)
    of_window, others = near.left_out
    left = [f"{counted(of_window, 'operation')} of the window"] if of_window else []
    left += [f"{counted(others, 'operation')} further away"] if others else []
    return {
        "title": has_no_order(divergence.window, divergence.window_is_cut_short),
        "says": f"{counted(len(laid), 'operation')} on {counted(len(names), 'processor')}; without an order: {inside}",
        "said": f"Not drawn: {' and '.join(left)}." if left else "",
        "left": LEFT,
        "width": LEFT + moments * STEP + 8,
        "height": LANE * len(names),
        "rows": rows,
        "bars": drawn,
    }
