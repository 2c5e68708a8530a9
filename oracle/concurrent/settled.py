"""At which moments it is known what state the operations before have led to, whatever their order was.

It is not where two *sensitive* ones overlapped, of which the last may decide. But some operations set what they are
about, whatever it was: a page that is unmapped shows nothing, however often it was mapped before, and where a block is
given back none begins. Once such a one was called after a sensitive one about the same had returned, and has returned,
that one no longer decides anything.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable

from memoracle.concurrent.about import Space
from memoracle.concurrent.recording import NEVER
from memoracle.concurrent.trail import Node


class Settled:
    """unsettled: the times from the call of a sensitive operation on until it decides nothing more, both included."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        nodes = list(nodes)
        setting: dict[tuple[Space, int], list[Node]] = defaultdict(list)
        for node in nodes:
            if node.about.sets:
                setting[changed(node)].append(node)
        calls: dict[tuple[Space, int], list[int]] = {}
        ends: dict[tuple[Space, int], list[int]] = {}  # the first return of those called from each on
        for place, some in setting.items():
            some.sort(key=lambda each: each.call)
            calls[place], first, found = [each.call for each in some], NEVER, list[int]()
            for each in reversed(some):
                first = min(first, each.returned)
                found.append(first)
            ends[place] = found[::-1]
        self.unsettled: list[tuple[int, int]] = []
        for node in nodes:
            if node.sensitive:
                end = NEVER
                if node.about.sets:
                    place = changed(node)
                    at = bisect_right(calls[place], node.returned)
                    end = ends[place][at] if at < len(calls[place]) else NEVER
                self.unsettled.append((node.call, end))

    def at(self, moment: int) -> bool:
        """Whether the state is known that what returned before a moment has led to."""
        return not any(call < moment <= end for call, end in self.unsettled)


def changed(node: Node) -> tuple[Space, int]:
    """What an operation sets: a page, or the block that begins at a place."""
    return next((touch.space, touch.first) for touch in node.about.touches if touch.changes)
