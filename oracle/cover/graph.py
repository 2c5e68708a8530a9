"""The reference's graph: every state that it reaches, and what each call does there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from memoracle.cover.family import Call, Family, Situation, State
from memoracle.cover.postman import Edge, ways
from memoracle.drive.target import Answer
from memoracle.proofs.exhaustive.snapshots import duplicate


class Reference(Protocol):
    """The reference as a target, which can follow another choice than its own."""

    @property
    def operations(self) -> Mapping[str, frozenset[str]]: ...

    def call(self, operation: str, arguments: Mapping[str, Any]) -> Answer: ...

    def choices(self, operation: str, arguments: Mapping[str, Any]) -> Sequence[Any] | None:
        """Every result that the law allows, where it leaves a choice; None where it does not."""
        ...

    def take(self, operation: str, arguments: Mapping[str, Any], result: Any) -> bool:
        """Does what is called, with this result; False if the law allows no such result."""
        ...


@dataclass
class Graph:
    """start: the first state.  loops: by state, the calls that leave it as it is.  edges: those that do not.

    questions: by state, those of the former that tell it from others.
    """

    start: State
    loops: dict[State, list[Call]] = field(default_factory=dict)
    edges: list[Edge[Call]] = field(default_factory=list)
    questions: dict[State, Sequence[Call]] = field(default_factory=dict)

    def sequences(self) -> list[list[Call]]:
        """The shortest set of sequences of calls in which every transition is. A call that changes nothing stands
        where its state is reached first; where it is reached again, what tells it from others is asked again."""
        left, found = dict(self.loops), list[list[Call]]()
        for way in ways(self.edges, self.start) or [[]]:
            calls = left.pop(self.start, [])
            for edge in way:
                calls = [*calls, edge.call, *left.pop(edge.end, self.questions[edge.end])]
            found.append(calls)
        return found


def explored(family: Family, reference: Reference) -> Graph:
    """The graph of a reference at its start."""
    graph = Graph(family.state(family.start), {})
    queue: list[tuple[Situation, Reference]] = [(family.start, reference)]
    met = {graph.start}
    for situation, there in queue:
        state = family.state(situation)
        loops = graph.loops[state] = []
        graph.questions[state] = family.questions(situation)
        for call in family.calls(situation):
            copy = duplicate(there)
            operation, arguments = family.wish(situation, call)
            answer = copy.call(operation, arguments)
            after = family.after(situation, operation, arguments, answer)
            reached = family.state(after)
            if reached == state:
                loops.append(call)
                continue
            graph.edges.append(Edge(state, call, reached))
            if reached not in met:
                met.add(reached)
                queue.append((after, copy))
    return graph
