"""The shortest ways through all edges, against every choice of edges that are taken again."""

from __future__ import annotations

from collections import Counter
from itertools import combinations_with_replacement, pairwise
from random import Random

import pytest

from memoracle.cover.postman import Edge, ways


def graph(random: Random) -> list[Edge[str]]:
    """A few edges between up to 4 nodes, all of which are reached from node 0."""
    nodes = random.randint(2, 4)
    edges = [Edge(random.randrange(node), f"to {node}", node) for node in range(1, nodes)]
    for number in range(random.randint(0, 3)):
        one, other = random.sample(range(nodes), 2)
        edges.append(Edge(one, f"more {number}", other))
    return edges


def fewest(edges: list[Edge[str]]) -> int:
    """How many edges the ways have at the least: those that end anywhere and begin at node 0 cut the rest."""
    for more in range(8):
        for again in combinations_with_replacement(edges, more):
            balance: Counter[object] = Counter()
            for one, _, other in (*edges, *again):
                balance[one] -= 1
                balance[other] += 1
            # A new start leaves any node for node 0: so each other is reached as often as it is left, or more often.
            if all(balance[node] >= 0 for node in balance if node != 0):
                return len(edges) + more
    raise AssertionError("no such ways")


@pytest.mark.parametrize("seed", range(60))
def test_the_ways_have_each_edge_and_are_the_shortest(seed: int) -> None:
    edges = graph(Random(seed))
    found = ways(edges, 0)
    for way in found:
        assert way[0][0] == 0
        assert all(one[2] == other[0] for one, other in pairwise(way))
    assert {edge for way in found for edge in way} == {*edges}
    assert sum(map(len, found)) == fewest(edges)
