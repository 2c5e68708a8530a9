"""What is to be proved of one geometry: that the theorems about every size are about its sizes, and what is its own.

Its own are the value of its PAT register and the classes of its heap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from memoracle.proofs.components import pat
from memoracle.proofs.components.heap.classes import of_classes
from memoracle.proofs.obligations.obligation import GEOMETRY, Obligation
from memoracle.proofs.registry import LAWS
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec.clauses import Truth
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import NATURAL, RUNS, Range


def obligations(component: str, geometry: Geometry) -> Iterator[Obligation]:
    """The obligations about a geometry that are a component's."""
    for part, what, value in sizes(geometry).get(component, ()):
        yield _covered(component, part, what, value)
    if component == "pat":
        yield from pat.of_register(geometry.pat_register)
    if component == "heap":
        yield from of_classes(geometry.page_size, geometry.heap_classes, heap_alignment(geometry))


def heap_alignment(geometry: Geometry) -> int | None:
    """The alignment of every block, in bytes, as the reference's heap takes it; None if that is natural."""
    return None if geometry.heap_alignment == NATURAL else int(geometry.heap_alignment)


def sizes(geometry: Geometry) -> dict[str, list[tuple[str, str, int]]]:
    """By component, which part of its state has which size, in words and as a number."""
    ranges = {"kernel_range": geometry.kernel_range, "process_range": geometry.process_range}
    pages = [(name, each.pages) for name, each in ranges.items()]
    depths = [(name, _depth(each, geometry.page_size)) for name, each in ranges.items()]
    found: dict[str, list[tuple[str, str, int]]] = {
        "heap": [("page_shift", "the binary logarithm of page_size", geometry.page_shift)],
        "paging": [("physical_bits", "physical_address_bits", geometry.physical_address_bits)],
    }
    frames = ("reach", "frames", geometry.frames)
    if geometry.has_runs_of_frames:
        found.setdefault("runs", []).append(frames)
    else:
        found["bitmap"] = [frames]
    if geometry.range_allocator == RUNS:
        found.setdefault("runs", []).extend(("reach", f"pages of {name}", count) for name, count in pages)
    else:
        found["buddy"] = [("depth", f"the depth of {name}", depth) for name, depth in depths]
    return found


def _depth(area: Range, page_size: int) -> int:
    """The binary logarithm of the pages of the block in which a range lies."""
    return area.root(page_size).pages.bit_length() - 1


def _covered(component: str, part: str, what: str, value: int) -> Obligation:
    law = LAWS[component]
    unknown: Callable[[Run], Any] = law.unknown

    def body(run: Run) -> None:
        any_size = getattr(unknown(run), part)
        covered: Truth = any_size.low <= value <= any_size.high
        run.assert_goal("the size is one that the theorems are about", covered)

    says = f"what is proved of every size is proved of this one: {what} = {value:,}"
    name = f"{component}.geometry.{what.removeprefix('the ').replace(' ', '-').replace('_', '-')}"
    return Obligation(name, component, "theorem", says, body, law.sorts, GEOMETRY, law.integers, law.once)
