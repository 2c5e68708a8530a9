"""What a run of `prove` says of one geometry: what is proved for it, and what is left to the kernel that has it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from memoracle.diagnostics.terms import terms_of
from memoracle.replay.coverage import stakes_of
from memoracle.spec.clauses import Clause
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import BUDDY, RUNS, TRUSTING, UNDEFINED
from memoracle.spec.manager_mappings import maps_only_allocated
from memoracle.spec.pat import INDEXES, TYPES, is_available, type_at
from memoracle.trace.events import operation_of_kind
from memoracle.trace.memory_types import NAMES

if TYPE_CHECKING:
    from memoracle.proofs.obligations.discharge import Result

PROVED, THEOREM, REFINEMENT, INITIAL, INVARIANT = "proved", "theorem", "refinement", "initial", "invariant"
HAZARD, OF_GEOMETRY = "expected-refutation", "geometry"
OF_LEAF = re.compile(r"-leaf-(\d)\b")  # in the name of a claim that is about pages of one size
LEMMA = re.compile(r"\.(arithmetic|shifts)\.|\.has-one-answer$")  # in the name of what serves proofs alone
# No operation of the law says what such a free does to a run; `check` holds it to the law of each of its frames.
TRUSTED_RUNS = "frame.free of a run, which is trusted: the law of runs has a checked one alone"
# The keys of a geometry by which a component's theorems are about it.
KEYS = {
    "bitmap": ("frames", "kernel_image_frames", "never_free", "frame_allocator", "frame_free"),
    "boot": ("page_size", "frames"),
    "buddy": ("range_allocator", "range_max_order", "kernel_range", "process_range"),
    "heap": ("page_size", "heap_classes", "heap_alignment", "heap_arena"),
    "kernel_half": (),
    "manager": ("frames", "leaf_level", "kernel_range", "process_range", "direct_map"),
    "paging": ("leaf_level", "page_size", "physical_address_bits", "direct_map"),
    "pat": ("pat_register",),
    "runs": ("frame_allocator", "frame_free_parts", "zones", "range_allocator", "range_free", "frames"),
}


class Said(NamedTuple):
    """A sentence of the law, and the name of what says it."""

    says: str
    name: str


@dataclass(frozen=True)
class Room:
    """What a run proved of a component, as far as it is about a geometry.

    keys: by which it is.  always: invariants, which hold at the start and after every operation.  theorems: of every
    size, so of this one.  lemmas: how many more there are, which only serve proofs.  own: about this geometry alone.
    code: how many claims say that the reference's code does what the law says.  hazards: what is known to go wrong.
    open: the claims that this run did not prove, and what no claim is about.
    """

    component: str
    keys: dict[str, str]
    always: Sequence[Said]
    theorems: Sequence[Said]
    lemmas: int
    own: Sequence[Said]
    code: int
    hazards: Sequence[Said]
    open: Sequence[str]


@dataclass(frozen=True)
class Duty:
    """What the law asks of a call. calls: where one of these does not hold, it is refused.  answers: these hold."""

    op: str
    calls: Sequence[Said]
    answers: Sequence[Said]


def rooms(geometry: Geometry, results: Sequence[Result]) -> list[Room]:
    """What was proved of the components that this geometry has."""
    names = dict.fromkeys(each.component for each in results)
    return [_room(name, geometry, [r for r in results if r.component == name]) for name in names if has(geometry, name)]


def has(geometry: Geometry, component: str) -> bool:
    """Whether a geometry has what a component is about."""
    if component == "bitmap":
        return not geometry.has_runs_of_frames
    if component == "runs":
        return geometry.has_runs_of_frames or geometry.range_allocator == RUNS
    if component == "buddy":
        return BUDDY in (geometry.range_allocator, geometry.frame_allocator)
    return True


def _room(component: str, geometry: Geometry, results: Sequence[Result]) -> Room:
    about = [each for each in results if is_about(each, geometry)]
    proved = [each for each in about if each.verdict == PROVED]
    said = given(geometry)
    theorems = [Said(each.claim, each.name) for each in proved if each.kind == THEOREM and _is_unbounded(each)]
    told = [each for each in theorems if not LEMMA.search(each.name)]
    hazards = [each for each in proved if each.kind == HAZARD and geometry.frame_free == TRUSTING]
    return Room(
        component,
        {key: shown(key, said[key]) for key in KEYS.get(component, ()) if key in said},
        [*_always(component, about)],
        told,
        len(theorems) - len(told),
        [Said(each.claim, each.name) for each in proved if each.scope == OF_GEOMETRY],
        sum(each.kind == REFINEMENT and _is_unbounded(each) for each in proved),
        [Said(each.claim, each.name) for each in hazards if component == "bitmap"],
        [*(each.name for each in about if each.verdict != PROVED), *_beyond(component, geometry)],
    )


def _beyond(component: str, geometry: Geometry) -> list[str]:
    """What a kernel of this geometry does that no claim is about."""
    is_trusted = geometry.frame_free == TRUSTING and geometry.has_runs_of_frames
    return [TRUSTED_RUNS] if component == "runs" and is_trusted else []


def is_about(result: Result, geometry: Geometry) -> bool:
    """Whether a claim is about pages of the size that a geometry has, or about all."""
    levels = OF_LEAF.findall(result.name)
    return not levels or levels == [str(geometry.leaf_level)]


def _is_unbounded(result: Result) -> bool:
    return result.scope.startswith("unbounded")


def _always(component: str, results: Sequence[Result]) -> Iterator[Said]:
    """The invariants: proved of the first state, and kept by every operation."""
    start = f"{component}.initially."
    for first in results:
        if first.kind == INITIAL and first.name.startswith(start):
            clause = first.name.removeprefix(start)
            kept = [each for each in results if each.kind == INVARIANT and each.name.endswith(f".keeps-{clause}")]
            if kept and all(each.verdict == PROVED for each in (first, *kept)):
                yield Said(first.claim.removeprefix("initially "), f"{component}.{clause}")


def duties(geometry: Geometry) -> list[Duty]:
    """The rules that a kernel's own calls are held to once they are recorded, by operation."""
    terms, misuse, found = terms_of(geometry), dict(geometry.misuse), []
    for kind, stake in stakes_of(geometry).items():

        def said(clauses: Sequence[Clause], kind: type = kind) -> list[Said]:
            of = terms.get(kind)
            return [Said(of.of(each.says) if of else each.says, each.name) for each in dict.fromkeys(clauses)]

        op = operation_of_kind(kind)
        calls = () if misuse.get(op) == UNDEFINED else stake.calls
        found.append(Duty(op, said(calls), said(stake.answers)))
    return found


def pat_table(geometry: Geometry) -> list[str]:
    """In words, which memory type each index of the PAT register has, and which types cannot be selected."""
    register = geometry.pat_register
    types = [NAMES[cast(int, type_at(register, index))] for index in INDEXES]
    told = [", ".join(f"index {index} is {name}" for index, name in enumerate(types))]
    lacking, high = ([NAMES[kind] for kind in TYPES if not is_available(register, kind, low)] for low in (False, True))
    if lacking:
        told.append(f"no index has {' or '.join(lacking)}: a page of such a type is refused")
    higher = [name for name in high if name not in lacking]
    if higher:
        told.append(
            f"no index of the lower four has {' or '.join(higher)}: a link to a table of such a type is refused"
        )
    return told


def heap_table(geometry: Geometry) -> list[str]:
    """In words, how the reference's heap serves each class."""
    from memoracle.proofs.components.heap.classes import served
    from memoracle.proofs.of_geometry import heap_alignment

    told = []
    for size, layout in served(geometry.page_size, geometry.heap_classes, heap_alignment(geometry)):
        if layout is None:
            told.append(f"blocks of {size:,} bytes are whole pages: a page has no room for two in a slab")
        else:
            room = f"{layout.objects:,} objects of {1 << layout.slot_shift:,} bytes in a page"
            told.append(f"blocks of {size:,} bytes: {room}, the first at byte {layout.first:,}")
    return told


def machine(geometry: Geometry) -> dict[str, str]:
    """What the machine and the kernel must be like, for all this to be about them."""
    return {key: shown(key, value) for key, value in given(geometry).items()}


def given(geometry: Geometry) -> dict[str, Any]:
    """The keys of a geometry that have a value, but the short form of one that is given."""
    said = {key: getattr(geometry, key) for key in Geometry.__dataclass_fields__} | {"misuse": dict(geometry.misuse)}
    if geometry.never_free is not None:
        del said["kernel_image_frames"]
    return {key: value for key, value in said.items() if value is not None}


def shown(key: str, value: Any) -> str:
    """A value of a geometry as its file may have it; addresses and registers in hexadecimal."""
    if hasattr(value, "__dataclass_fields__"):
        value = asdict(value)
    if isinstance(value, tuple):
        return f"[{', '.join(shown(key, each) for each in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name_of(name)} = {shown(name, each)}' for name, each in value.items())}}}"
    if isinstance(value, int) and not isinstance(value, bool) and key in ("pat_register", "start", "physical"):
        return f"{value:#x}"
    return json.dumps(value)


def name_of(key: str) -> str:
    """A key as TOML has it: an operation's name has a dot."""
    return json.dumps(key) if "." in key else key


CALLERS = Said(maps_only_allocated.says, maps_only_allocated.name)
