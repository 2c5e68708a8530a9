"""The shortest set of ways, each from the start, that has every transition: a route of the directed postman.

Between two ways the target is started again, which costs nothing. So it is a circulation in which every transition has
a flow of one at least, as cheap as possible (Edmonds and Johnson, 1973): the flow that is added goes from states that
are reached more often than they are left to those that are left more often, on shortest ways.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

Node: TypeAlias = Hashable
Label = TypeVar("Label")


class Edge(NamedTuple, Generic[Label]):
    """From where, by what, and to where."""

    origin: Node
    call: Label
    end: Node


AnyEdge: TypeAlias = Edge[Any]


def ways(edges: Sequence[Edge[Label]], start: Node) -> list[list[Edge[Label]]]:
    """Ways from the start in which each edge is, with as few edges in all as can be. All are reached from there."""
    again = [Edge(node, None, start) for node in dict.fromkeys(edge.end for edge in edges) if node != start]
    copies = Counter[AnyEdge](edges) + _added(edges, again)
    return _ways(_circuit(copies, start), start)


def _added(edges: Sequence[AnyEdge], again: Sequence[AnyEdge]) -> Counter[AnyEdge]:
    """How often each edge is taken besides, and how often each state is left by a new start."""
    surplus: Counter[Node] = Counter()
    for edge in edges:
        surplus[edge.end] += 1
        surplus[edge.origin] -= 1
    costs = dict.fromkeys(edges, 1) | dict.fromkeys(again, 0)
    leaving: dict[Node, list[AnyEdge]] = {}
    entering: dict[Node, list[AnyEdge]] = {}
    for edge in costs:
        leaving.setdefault(edge.origin, []).append(edge)
        entering.setdefault(edge.end, []).append(edge)
    flow: Counter[AnyEdge] = Counter()
    potential: dict[Node, int] = dict.fromkeys((*leaving, *entering), 0)
    while sources := [node for node, extra in surplus.items() if extra > 0]:
        distance, came, target = _nearest(sources, surplus, leaving, entering, costs, flow, potential)
        path = list[tuple[AnyEdge, bool]]()
        node = target
        while (step := came[node]) is not None:
            edge, is_back = step
            path.append(step)
            node = edge.end if is_back else edge.origin
        amount = min([surplus[node], -surplus[target], *(flow[edge] for edge, is_back in path if is_back)])
        for edge, is_back in path:
            flow[edge] += -amount if is_back else amount
        surplus[node] -= amount
        surplus[target] += amount
        limit = distance[target]
        for each in potential:
            potential[each] += min(distance.get(each, limit), limit)
    return +flow


def _nearest(
    sources: Sequence[Node],
    surplus: Mapping[Node, int],
    leaving: Mapping[Node, Sequence[AnyEdge]],
    entering: Mapping[Node, Sequence[AnyEdge]],
    costs: Mapping[AnyEdge, int],
    flow: Mapping[AnyEdge, int],
    potential: Mapping[Node, int],
) -> tuple[dict[Node, int], dict[Node, tuple[AnyEdge, bool] | None], Node]:
    """Of the states that lack flow the nearest: distances, how each was reached (an edge may be undone), and it."""
    distance: dict[Node, int] = dict.fromkeys(sources, 0)
    came: dict[Node, tuple[AnyEdge, bool] | None] = dict.fromkeys(sources)
    queue = [(0, place, node) for place, node in enumerate(sources)]
    done, pushed = set[Node](), len(queue)
    while queue:
        far, _, node = heapq.heappop(queue)
        if node in done:
            continue
        done.add(node)
        if surplus[node] < 0:
            return distance, came, node
        steps = [(edge, False, edge.end, costs[edge]) for edge in leaving.get(node, ())]
        steps += [(edge, True, edge.origin, -costs[edge]) for edge in entering.get(node, ()) if flow[edge]]
        for edge, is_back, there, cost in steps:
            length = far + cost + potential[node] - potential[there]
            if there not in distance or length < distance[there]:
                distance[there], came[there] = length, (edge, is_back)
                pushed += 1
                heapq.heappush(queue, (length, pushed, there))
    raise AssertionError("every state is reached from the start, and the start from every state")


def _circuit(copies: Counter[AnyEdge], start: Node) -> list[AnyEdge]:
    """All edges in a row, as often as they are there (Hierholzer); each state is left as often as it is reached."""
    left: dict[Node, list[AnyEdge]] = {}
    for edge, times in copies.items():
        left.setdefault(edge.origin, []).extend([edge] * times)
    stack: list[AnyEdge] = []
    circuit: list[AnyEdge] = []
    node = start
    while True:
        if left.get(node):
            edge = left[node].pop()
            stack.append(edge)
            node = edge.end
        elif stack:
            edge = stack.pop()
            circuit.append(edge)
            node = edge.origin
        else:
            return circuit[::-1]


def _ways(circuit: Sequence[AnyEdge], start: Node) -> list[list[AnyEdge]]:
    """The circuit, cut wherever it comes to the start."""
    found: list[list[AnyEdge]] = [[]]
    for edge in circuit:
        if edge.call is not None:
            found[-1].append(edge)
        if edge.end == start:
            found.append([])
    return [way for way in found if way]
