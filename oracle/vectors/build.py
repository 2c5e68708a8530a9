"""Vectors are made of the reference's graph: its sequences, with names in the place of what calls give."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from memoracle.cover import frames, ranges, tables
from memoracle.cover.entries import EntryStates
from memoracle.cover.family import Asks, Call, Family
from memoracle.cover.frames import FrameStates
from memoracle.cover.graph import Reference, explored
from memoracle.cover.ranges import RangeStates
from memoracle.cover.reference_frames import frames_of
from memoracle.cover.reference_tables import Entries, KernelRange, TopLevelTables
from memoracle.cover.tables import TableStates
from memoracle.diagnostics.divergence import MUST_SUCCEED
from memoracle.diagnostics.levels import EXACT, Rules
from memoracle.drive.log import ENCODE
from memoracle.drive.target import Answer
from memoracle.proofs.exhaustive.snapshots import duplicate
from memoracle.replay.coverage import AtStake, stakes_of
from memoracle.replay.dispatch import Replay
from memoracle.replay.frames.frame_requests import rounded
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import BUDDY, CHECKED, REFUSE, RUNS, SINGLE, TRUSTING, WHOLE
from memoracle.trace.decoding import decode_event
from memoracle.trace.geometry import geometry_from
from memoracle.vectors.requirements import require
from memoracle.vectors.vector import Given, Step, Vector, Vectors

GIVERS = {frames.ALLOCATE, ranges.ALLOCATE, tables.CREATE}
NAMED = {"alignment": "alignment", "last": "below", "below": "below"}  # arguments by the points of clauses about them
MOST_ALIKE = 64  # questions of one vector where nothing has a state


@dataclass(frozen=True)
class Component:
    """What vectors are made of. geometry: the small machine of which they are, if no other is named.

    fits: why another geometry is not one of this component; None if it is.
    """

    geometry: Mapping[str, Any]
    family: Callable[[Asks, Geometry], Family]
    reference: Callable[[Geometry], Reference]
    fits: Callable[[Geometry], str | None]


def _frames(allocator: str, most: int) -> Callable[[Geometry], str | None]:
    def fits(geometry: Geometry) -> str | None:
        if geometry.frame_allocator != allocator:
            return f"frame_allocator: these are of {allocator!r}"
        if allocator == BUDDY and not geometry.frees_whole_runs:
            return f"frame_free_parts: these are of {WHOLE!r}"
        if allocator != SINGLE and geometry.frame_free == TRUSTING:
            return f"frame_free: these are of {CHECKED!r}"
        return f"frames: at most {most} can be covered" if geometry.frames > most else None

    return fits


def _range(geometry: Geometry) -> str | None:
    area = geometry.kernel_range
    if (
        geometry.range_allocator != BUDDY
        or area.pages & area.pages - 1
        or area.start % (area.pages * geometry.page_size)
    ):
        return "kernel_range: these are of a buddy system, a power of two of pages, aligned to its size"
    return "kernel_range: at most 4 pages can be covered" if area.pages > 4 else None


def _any(geometry: Geometry) -> None:
    return None


_SMALL: dict[str, Any] = {"preset": "x64-4k", "frames": 6, "kernel_image_frames": 2}
COMPONENTS: dict[str, Component] = {
    "bitmap": Component(_SMALL, lambda asks, geometry: FrameStates(asks, geometry), frames_of, _frames(SINGLE, 8)),
    "runs": Component(
        _SMALL | {"frame_allocator": "runs"},
        lambda asks, geometry: FrameStates(asks, geometry),
        frames_of,
        _frames(RUNS, 6),
    ),
    "frame_buddy": Component(
        {"preset": "x64-4k", "frames": 4, "frame_allocator": "buddy", "never_free": []},
        lambda asks, geometry: FrameStates(asks, geometry),
        frames_of,
        _frames(BUDDY, 6),
    ),
    "buddy": Component(
        {
            "preset": "x64-4k",
            "kernel_range": {"start": "0xFFFFFFFF00000000", "pages": 4},
            "kernel_reserved": [],
        },
        lambda asks, geometry: RangeStates(asks, geometry, True, 0),
        KernelRange,
        _range,
    ),
    "kernel_half": Component(
        {"preset": "x64-4k"},
        lambda asks, geometry: TableStates(asks, geometry, 2),
        lambda geometry: TopLevelTables(),
        _any,
    ),
    "pat": Component({"preset": "x64-4k"}, lambda asks, geometry: EntryStates(asks, geometry, "pat"), Entries, _any),
    "pte": Component(
        {"preset": "x64-4k"},
        lambda asks, geometry: EntryStates(asks, geometry, "pte", few=True),
        Entries,
        _any,
    ),
}


def law() -> dict[str, str]:
    """Which text of the law vectors are of: the package's version, and a digest of `spec/`."""
    texts = sorted(
        (each.name, each.read_bytes()) for each in files("memoracle.spec").iterdir() if each.name.endswith(".py")
    )
    digest = hashlib.sha256(b"".join(name.encode() + b"\0" + text + b"\0" for name, text in texts))
    return {"version": version("memoracle"), "digest": digest.hexdigest()[:16]}


def vectors_of(
    name: str,
    geometry: Geometry | None = None,
    stated: object = None,
    operations: Collection[str] | None = None,
    refusing: Collection[str] | None = None,
    whole: Mapping[str, Collection[str]] | None = None,
) -> Vectors:
    """The vectors of a component, of this geometry or its own small one. Raises GeometryError.

    operations: which may be called; None: all.  refusing: those that say that they refuse misuse; None: all.
    whole: by operation, the arguments that can only be whole pages.
    """
    component = COMPONENTS[name]
    if geometry is None:
        stated = component.geometry
        geometry = geometry_from(component.geometry)
    reference = component.reference(geometry)
    asks = {op: keys for op, keys in reference.operations.items() if operations is None or op in operations}
    family = component.family(asks, geometry)
    maker = Maker(geometry, family, reference, asks if refusing is None else refusing, whole or {})
    sequences = explored(family, reference).sequences()
    if len(sequences) == 1 and not isinstance(family, FrameStates | RangeStates | TableStates):
        sequences = list(_alike(sequences[0]))
    made = [maker.vector(f"{name}_{place}", calls) for place, calls in enumerate(sequences, 1)]
    return Vectors(name, geometry, stated, law(), made)


def _alike(calls: Sequence[Call]) -> Iterator[list[Call]]:
    """Questions of things without a state, few to a vector, each of one operation."""
    by_operation: dict[str, list[Call]] = {}
    for call in calls:
        by_operation.setdefault(call.operation, []).append(call)
    for found in by_operation.values():
        yield from (found[at : at + MOST_ALIKE] for at in range(0, len(found), MOST_ALIKE))


class Maker:
    """Makes vectors of one geometry."""

    def __init__(
        self,
        geometry: Geometry,
        family: Family,
        reference: Reference,
        refusing: Collection[str],
        whole: Mapping[str, Collection[str]],
    ) -> None:
        self.geometry, self.family, self.reference = geometry, family, reference
        self.refusing, self.whole = refusing, whole
        self.stakes = stakes_of(geometry)
        self.policies = dict(geometry.misuse)

    def vector(self, name: str, calls: Sequence[Call]) -> Vector:
        """One sequence, as the reference answers it, with what the law requires of any target."""
        reference, situation = duplicate(self.reference), self.family.start
        replay = Replay(Rules(self.geometry, EXACT), name)
        vector, live = Vector(name), Live()
        for call in calls:
            operation, arguments = self.family.wish(situation, call)
            if any(arguments.get(key, 0) % self.geometry.page_size for key in self.whole.get(operation, ())):
                continue
            answer = reference.call(operation, arguments)
            clauses, is_misuse = self.exercised(replay, operation, arguments, answer)
            if is_misuse and (operation not in self.refusing or self.policies.get(operation, REFUSE) != REFUSE):
                continue
            step = Step(operation, live.named(operation, arguments), answer, clauses=clauses)
            step.gives = operation == tables.CREATE
            step.bytes = self.moved(operation, arguments) if answer.error is None else 0
            situation = self.family.after(situation, operation, arguments, answer)
            live.note(len(vector.steps), step, answer)
            vector.steps.append(step)
        require(vector.steps, self.reference)
        return vector

    def exercised(
        self, replay: Replay, operation: str, arguments: Mapping[str, Any], answer: Answer
    ) -> tuple[list[str], bool]:
        """The clauses that a call puts to the test, and whether it is misuse; the law accepts the answer."""
        said = {"result": answer.result} if answer.error is None else {"error": answer.error}
        line = ENCODE(
            {"op": operation, **arguments, **{key: value for key, value in said.items() if value is not None}}
        )
        event: Any = decode_event(line)
        clause = replay.violated_by(event, 0)
        for divergence in replay.divergences([line]):
            raise AssertionError(f"the reference and the law disagree: {divergence}")
        if clause is not None:
            return [clause.name], True
        answers = self.stakes.get(type(event), AtStake()).answers
        named = {NAMED[point] for clause in answers for point in clause.points if point in NAMED} - arguments.keys()
        about = [each for each in answers if not any(NAMED.get(point) in named for point in each.points)]
        names = list(dict.fromkeys(each.name for each in about))
        return [*names, f"{operation}.{MUST_SUCCEED}"] if answer.error is None else names, False

    def moved(self, operation: str, arguments: Mapping[str, Any]) -> int:
        """How many bytes a call hands out or takes back."""
        size = self.geometry.page_size
        if operation in (frames.ALLOCATE, frames.RESERVE, frames.FREE):
            count: int = 1 << arguments["order"] if "order" in arguments else arguments.get("count", 1)
            return size * count
        if operation in (ranges.ALLOCATE, ranges.RESERVE, ranges.FREE):
            return size * rounded(arguments["pages"])
        return 0


class Live:
    """What the calls of a vector gave so far: by number, the step that gave it last, and how many bytes."""

    def __init__(self) -> None:
        self.given: dict[tuple[str, int], tuple[int, int]] = {}

    def named(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments with names for numbers that were given, or lie in what was."""
        family = operation.partition(".")[0]
        return {
            key: self.name("process" if key == "process" else family, value)
            if key in ("address", "process") and value
            else value
            for key, value in arguments.items()
        }

    def name(self, family: str, value: int) -> Any:
        steps = [
            Given(step, value - start)
            for (of, start), (step, size) in self.given.items()
            if of == family and start <= value < start + max(size, 1)
        ]
        return max(steps, default=value)

    def note(self, place: int, step: Step, answer: Answer) -> None:
        if step.operation in GIVERS and answer.error is None:
            family = "process" if step.gives else step.operation.partition(".")[0]
            self.given[family, answer.result] = place, step.bytes
