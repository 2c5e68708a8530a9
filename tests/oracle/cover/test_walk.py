"""The walk, which does not know what a target will choose, against the shortest ways through a graph that is known."""

from __future__ import annotations

import pytest

from memoracle.cover.graph import explored
from memoracle.cover.walk import Steps, Walk
from memoracle.trace.geometry import geometry_from
from memoracle.vectors.components import COMPONENTS


@pytest.mark.parametrize("component", ["bitmap", "runs", "frame_buddy", "buddy", "kernel_half"])
def test_the_walk_costs_few_calls_more_than_the_shortest_ways(component: str, monkeypatch: pytest.MonkeyPatch) -> None:
    geometry = geometry_from(COMPONENTS[component].geometry)
    reference = COMPONENTS[component].reference(geometry)
    family = COMPONENTS[component].family(reference.operations, geometry)
    monkeypatch.setattr(type(family), "questions", lambda self, situation: ())
    graph = explored(family, reference)
    shortest = sum(map(len, graph.sequences()))
    walk = Walk(family, Steps(), frozenset(), 1 << 60, None)
    for operation, arguments in walk.wishes():
        walk.learn(operation, arguments, reference.call(operation, arguments))
    transitions = len(graph.edges) + sum(map(len, graph.loops.values()))
    assert (walk.steps.transitions, walk.steps.missing) == (transitions, 0)
    assert transitions < shortest <= walk.steps.calls <= 1.08 * shortest
