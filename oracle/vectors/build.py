"""Vectors are made of the reference's graph: its sequences, with names in the place of what calls give."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from memoracle.cover import frames, heap, kernel_pages, ranges, tables
from memoracle.cover.entries import EntryStates
from memoracle.cover.family import Call, Family
from memoracle.cover.graph import Reference, explored
from memoracle.cover.releases import ReleaseStates
from memoracle.diagnostics.divergence import MUST_SUCCEED
from memoracle.diagnostics.levels import EXACT, LEGAL, Rules
from memoracle.drive.log import ENCODE
from memoracle.drive.requests import GIVE_BACK
from memoracle.drive.target import Answer
from memoracle.proofs.exhaustive.snapshots import duplicate
from memoracle.replay.coverage import AtStake, stakes_of
from memoracle.replay.dispatch import Replay
from memoracle.replay.frames.frame_requests import rounded
from memoracle.replay.heap.live_blocks import LiveBlocks, number_of
from memoracle.spec import heap as heap_law
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import NATURAL, REFUSE
from memoracle.trace.decoding import decode_event
from memoracle.trace.geometry import geometry_from
from memoracle.trace.operations import arguments_of
from memoracle.vectors.components import COMPONENTS, Component
from memoracle.vectors.requirements import require
from memoracle.vectors.vector import Called, Given, Step, Vector, Vectors

GIVERS = {frames.ALLOCATE, ranges.ALLOCATE, tables.CREATE, kernel_pages.ALLOCATE, heap.NEW, heap.RESIZE}
NAMED = {"alignment": "alignment", "last": "below", "below": "below"}  # arguments by the points of clauses about them
MOST_ALIKE = 64  # questions of one vector where nothing has a state


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
    called: Called | None = None,
) -> Vectors:
    """The vectors of a component, of this geometry or its own small one. Raises GeometryError.

    called: what may be asked; None: anything.
    """
    component = COMPONENTS[name]
    if geometry is None:
        stated = component.geometry
        geometry = geometry_from(component.geometry)
    reference = component.reference(geometry)
    asks = dict(reference.operations)
    if called is None:
        called = Called(asks, asks, {})
    else:
        told = called.operations
        asks = {name: _asked(name, keys, told[name]) for name, keys in asks.items() if name in told}
    family = component.family(asks, geometry)
    maker = Maker(component, geometry, family, reference, called)
    sequences = explored(family, reference).sequences()
    if isinstance(family, EntryStates):
        sequences = list(_alike(sequences[0]))
    made = [maker.vector(f"{name}_{place}", calls) for place, calls in enumerate(sequences, 1)]
    return Vectors(name, geometry, stated, law(), made, component.unit or geometry.page_size)


def _asked(operation: str, keys: frozenset[str], told: frozenset[str]) -> frozenset[str]:
    """The arguments that a call may name. keys: which the reference reads.  told: which the library is told."""
    due = {key for key, is_due in arguments_of(operation).items() if is_due}
    found, sizes = keys & (told | due), frames.SIZES & told
    return found | sizes if keys & frames.SIZES and not found & frames.SIZES else found


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
        component: Component,
        geometry: Geometry,
        family: Family,
        reference: Reference,
        called: Called,
    ) -> None:
        self.component, self.geometry, self.family, self.reference = component, geometry, family, reference
        self.called = called
        self.stakes = stakes_of(geometry)
        self.policies = dict(geometry.misuse)

    def vector(self, name: str, calls: Sequence[Call]) -> Vector:
        """One sequence, as the reference answers it, with what the law requires of any target."""
        reference, situation = duplicate(self.reference), self.family.start
        anywhere = self.component.anywhere
        replay = Replay(Rules(self.geometry, LEGAL if anywhere else EXACT, private_frames=anywhere), name)
        vector, live = Vector(name), Live(self.geometry.page_size)
        for call in calls:
            if call.block is not None and call.block >= len(situation):
                continue  # in an arena it depends on where others lie, too, whether a block was handed out
            operation, arguments = self.family.wish(situation, call)
            if any(arguments.get(key, 0) % self.geometry.page_size for key in self.called.whole.get(operation, ())):
                continue
            if self.is_untold(operation, arguments, live):
                continue
            answer = reference.call(operation, arguments)
            clauses, is_misuse = self.exercised(replay, operation, arguments, answer)
            if is_misuse and (operation not in self.called.refusing or self.policies.get(operation, REFUSE) != REFUSE):
                continue
            step = Step(operation, live.named(operation, arguments), answer, clauses=clauses)
            step.gives = operation == tables.CREATE
            if answer.error is None:
                step.bytes, step.released = self.moved(operation, arguments, live), live.released(operation, arguments)
            if anywhere and not step.gives and (operation in GIVERS or operation == kernel_pages.TRANSLATE):
                self.bound(step)
            situation = self.family.after(situation, operation, arguments, answer)
            live.note(len(vector.steps), step, arguments, answer)
            vector.steps.append(step)
        require(vector.steps, self.reference, LiveBlocks(self.geometry).room)
        return vector

    def is_untold(self, operation: str, arguments: Mapping[str, Any], live: Live) -> bool:
        """Whether what is wrong with a free is how much it gives back, which the library is not told."""
        if "pages" not in arguments or operation not in GIVE_BACK or "pages" in self.called.operations[operation]:
            return False
        of = (operation.rpartition(".")[0], arguments["address"])
        return of in live.given and live.given[of][1] != self.moved(operation, arguments, live)

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

    def bound(self, step: Step) -> None:
        """Where what a step hands out may lie, if it may lie anywhere."""
        geometry, size = self.geometry, self.geometry.page_size
        step.anywhere, step.alignment = True, size
        if step.operation == frames.ALLOCATE:
            step.within = (0, geometry.frames * size)
        elif step.operation == kernel_pages.ALLOCATE:
            start, step.alignment = geometry.kernel_range.start, size * rounded(step.arguments["pages"])
            step.within = (start, start + geometry.kernel_range.pages * size)
        elif step.operation == kernel_pages.TRANSLATE:
            step.within = (size, geometry.frames * size)  # frame 0 is never handed out
        else:
            fixed = heap_law.NATURAL if geometry.heap_alignment == NATURAL else int(geometry.heap_alignment)
            due = heap_law.alignment_of(heap_law.nothing(geometry.page_shift, fixed), step.arguments["bytes"])
            arena = geometry.heap_arena
            anywhere = (1, 1 << 64) if arena is None else (max(1, arena.start), arena.start + arena.bytes)
            step.within, step.alignment = anywhere, max(number_of(due), step.arguments.get("alignment", 1))

    def moved(self, operation: str, arguments: Mapping[str, Any], live: Live) -> int:
        """How many bytes a call hands out or takes back."""
        size = self.geometry.page_size
        if operation == kernel_pages.TRANSLATE and self.component.anywhere:
            return 0 if arguments["virtual"] in live.frames else size
        if operation in (heap.NEW, heap.RESIZE):
            return int(arguments["bytes"])
        if operation == heap.DELETE:
            return live.given.get(("heap", arguments["address"]), (0, 0))[1]
        if operation in (kernel_pages.ALLOCATE, kernel_pages.FREE):
            return size * rounded(arguments["pages"])
        if isinstance(self.family, ReleaseStates):
            return 0  # of one frame, which is given back in many ways
        if operation in (frames.ALLOCATE, frames.RESERVE, frames.FREE):
            if frames.is_all(operation, arguments, self.geometry):
                return live.runs.get(arguments["address"], 0)
            return size * frames.taken_by(arguments, self.geometry)
        if operation in (ranges.ALLOCATE, ranges.RESERVE, ranges.FREE):
            return size * rounded(arguments["pages"])
        return 0


class Live:
    """What the calls of a vector gave so far: by number, the step that gave it last, and how many bytes.

    frames: by the address of a kernel page, the step that told first which frame it shows.
    runs: by the address of frames, how many bytes were handed out or reserved there last.
    """

    def __init__(self, page: int) -> None:
        self.page = page
        self.given: dict[tuple[str, int], tuple[int, int]] = {}
        self.frames: dict[int, int] = {}
        self.runs: dict[int, int] = {}

    def released(self, operation: str, arguments: Mapping[str, Any]) -> list[tuple[int, int]]:
        """What a call gives back besides what it names, which it may do: a block that moves, and frames of pages."""
        if operation == heap.RESIZE and arguments["address"]:
            return [self.given["heap", arguments["address"]]]
        if operation == kernel_pages.FREE:
            pages = range(arguments["address"], arguments["address"] + arguments["pages"] * self.page, self.page)
            return [(self.frames.pop(each), self.page) for each in pages if each in self.frames]
        return []

    def named(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments with names for numbers that were given, or lie in what was."""
        family = operation.partition(".")[0]
        return {
            key: self.name(
                {"process": "process", "physical": "frame", "virtual": "kernel_pages"}.get(key, family), value
            )
            if key in ("address", "process", "physical", "virtual")
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

    def note(self, place: int, step: Step, arguments: Mapping[str, Any], answer: Answer) -> None:
        if step.operation == kernel_pages.TRANSLATE and step.anywhere and step.bytes:
            self.frames[arguments["virtual"]] = place
        if step.operation in (frames.ALLOCATE, frames.RESERVE) and answer.error is None:
            self.runs[arguments.get("address", answer.result)] = step.bytes
        if step.operation in GIVERS and answer.error is None:
            family = "process" if step.gives else step.operation.partition(".")[0]
            self.given[family, answer.result] = place, step.bytes
