"""Divides a recording into parts that can be decided apart, and joins the orders that are found of them.

Operations on different spaces (frames, the range of one process, the heap, …) are independent. A recording has a legal
order if and only if its operations on each space have one (Herlihy and Wing 1990; Horn and Kroening 2015), for spaces
that no operation joins: an exit of a process that mapped pages joins its pages with the frames, and a request to the
heap that failed for want of frames joins the heap with these. Since each order of a part keeps the order of what
did not overlap, so does one of all operations.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence

from memoracle.concurrent.about import EVERYTHING, LAST, About, Space, conflict
from memoracle.concurrent.trail import Node


class Groups:
    """Things, some of which belong together (union-find)."""

    def __init__(self) -> None:
        self.parents: dict[object, object] = {}

    def of(self, thing: object) -> object:
        """What stands for all that belong together with this one."""
        path = []
        while (parent := self.parents.setdefault(thing, thing)) is not thing:
            path.append(thing)
            thing = parent
        for each in path:
            self.parents[each] = thing
        return thing

    def join(self, one: object, other: object) -> None:
        self.parents[self.of(one)] = self.of(other)


def parts_of(nodes: Sequence[Node]) -> list[list[Node]]:
    """The parts; those that are about no state are one of their own."""
    groups = Groups()
    spaces: dict[Space, Space] = {}
    for node in nodes:
        for touch in node.about.touches:
            space = spaces.setdefault(touch.space, touch.space)
            groups.join(spaces.setdefault(node.about.touches[0].space, space), space)
    if EVERYTHING in spaces:
        return [list(nodes)]
    parts: dict[object, list[Node]] = defaultdict(list)
    for node in nodes:
        touches = node.about.touches
        parts[groups.of(spaces[touches[0].space]) if touches else None].append(node)
    return list(parts.values())


def merged(orders: Iterable[Sequence[Node]]) -> list[Node]:
    """One order in which those of the parts are kept, and in which what returned before another call precedes it.

    Each operation is given the moment of the latest call up to its own place in its part, at which it was under way.
    """
    placed: list[tuple[int, int, int, Node]] = []
    for part, order in enumerate(orders):
        moment = -LAST
        for place, node in enumerate(order):
            moment = max(moment, node.call)
            placed.append((moment, part, place, node))
    placed.sort(key=lambda one: one[:3])
    return [node for *_, node in placed]


class Places:
    """The places that operations change, those together that one operation changes or that overlap."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.groups = Groups()
        self.starts: dict[Space, list[int]] = {}
        self.runs: dict[Space, list[tuple[int, int]]] = {}
        touched: dict[Space, list[tuple[int, int, int]]] = defaultdict(list)
        self.nodes = [node for node in nodes if node.about.changes]
        for place, node in enumerate(self.nodes):
            for touch in node.about.touches:
                if touch.changes:
                    touched[touch.space].append((touch.first, touch.end, place))
        for space, found in touched.items():
            self.lay_out(space, sorted(found))
        self.members: dict[object, list[Node]] = defaultdict(list)
        for place, node in enumerate(self.nodes):
            self.members[self.groups.of(place)].append(node)

    def lay_out(self, space: Space, found: list[tuple[int, int, int]]) -> None:
        runs: list[tuple[int, int]] = []  # the end of each, and an operation that changes it
        starts: list[int] = []
        for first, end, place in found:
            if runs and first < runs[-1][0]:
                self.groups.join(place, runs[-1][1])
                runs[-1] = max(end, runs[-1][0]), place
            else:
                starts.append(first)
                runs.append((end, place))
        self.starts[space], self.runs[space] = starts, runs

    def needed_by(self, node: Node) -> list[Node]:
        """The operations that what comes of this one depends on, itself among them; all, if one is about everything."""
        if any(space == EVERYTHING for space in self.runs):
            return self.nodes
        wanted, kept = [node.about], set[object]()
        while wanted:
            for group in self.changing(wanted.pop()):
                if group not in kept:
                    kept.add(group)
                    wanted += [each.about for each in self.members[group]]
        found = [each for group in kept for each in self.members[group]]
        return found if node in found else [*found, node]

    def changing(self, about: About) -> Iterable[object]:
        """The groups of operations that change what this one is about."""
        for touch in about.touches:
            starts, runs = self.starts.get(touch.space, []), self.runs.get(touch.space, [])
            at = max(0, bisect_right(starts, touch.first) - 1)
            while at < len(starts) and starts[at] < touch.end:
                if touch.first < runs[at][0]:
                    yield self.groups.of(runs[at][1])
                at += 1


def mark_sensitive(nodes: Sequence[Node]) -> None:
    """Marks the operations of which, with one that overlaps, it may decide which comes first."""
    if not any(node.about.ordered and node.about.changes for node in nodes):
        return
    under_way: list[Node] = []
    for node in sorted(nodes, key=lambda one: one.call):
        under_way = [each for each in under_way if each.returned >= node.call]
        if node.about.changes:
            for each in under_way:
                if (node.about.ordered or each.about.ordered) and conflict(node.about, each.about):
                    node.sensitive = each.sensitive = True
            under_way.append(node)
