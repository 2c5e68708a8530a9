"""Proof of how the manager's code starts: on components that have just been made, each of which its own proofs are of.

It is of machines whose reserved pieces are free blocks of the kernel's range, as spec/geometry.py sees to.
What boot makes of a memory map is any frames (boot's proof says which), and what has been fixed of the kernel's range
when the loop over its reserved pieces ends is what those pieces have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import z3

from memoracle.impl import manager as code
from memoracle.impl.boot import TOP, Record
from memoracle.impl.pte import Layout
from memoracle.proofs.components.manager.component_models import LawfulBuddy, Whole
from memoracle.proofs.components.manager.law import PAGE_SHIFTS, page_shift, proved, same_but_ghosts, unknown_frames
from memoracle.proofs.symbolic.execution import EndOfRunError, Run
from memoracle.proofs.symbolic.loops import cut
from memoracle.spec import manager as law
from memoracle.spec import paging


class Pieces:
    """The reserved pieces of the kernel's range, any number of them: a first page and pages each.

    at_hand: the piece that is to be fixed; None once it was.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.at_hand: tuple[Any, Any] | None = None

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        while self.run.fresh_truth("one more piece is reserved"):
            self.at_hand = self.run.point("first"), self.run.point("pages")
            yield self.at_hand
            with self.run.reading_law():
                self.run.claim("each piece is fixed", self.at_hand is None)
            if self.at_hand is not None:
                raise EndOfRunError


class Fixing:
    """The loop over the pieces: what those before have is taken, and nothing else.

    reserved: of a page, whether one of them has it.
    """

    def __init__(self, whole: Whole, booted: Callable[[Any], law.Memory], pieces: Pieces) -> None:
        self.whole, self.booted, self.pieces = whole, booted, pieces
        self.reserved: Any = lambda kernel_page: False

    def on_entry(self, run: Run, arguments: tuple[Any, ...] = ()) -> None:
        process, kernel_page = run.point("process"), run.point("kernel_page")
        due = (process == 0) & self.reserved(kernel_page)
        run.claim("only what the pieces have is taken", self.whole.state.taken(process, kernel_page) == due)

    def havoc(self, run: Run) -> None:
        reserved = self.reserved = run.relation("reserved-so-far", "kernel_page")
        taken = self.booted(reserved).taken
        self.whole.state = replace(self.whole.state, taken=taken)
        self.pieces.at_hand = None

    def on_back_edge(self, run: Run, result: Any) -> None:
        assert self.pieces.at_hand is not None
        before, (first, pages) = self.reserved, self.pieces.at_hand
        self.reserved = lambda kernel_page: before(kernel_page) | law.among(kernel_page, first, pages)
        self.on_entry(run)


class Made:
    """Components that have just been made, and of what."""

    def __init__(self, run: Run, whole: Whole) -> None:
        self.kernel = LawfulBuddy(whole, 0)
        self.of: dict[str, tuple[Any, ...]] = {}
        for name in ("boot", "Spaces", "KernelHalf", "Paging"):
            run.replace(code, name, self.maker(name))

    def maker(self, name: str) -> Any:
        def make(*arguments: Any) -> Any:
            self.of[name] = arguments
            return SimpleNamespace(name=name, spaces=[self.kernel])

        return make


@proved("starts.refines", "refinement", "the code starts as the law says, on what boot makes of the memory map")
def starts_refines(run: Run) -> None:
    frames, shift = unknown_frames(run), page_shift(run)
    mappings = paging.unmapped(shift, run.number("physical_bits"), run.number("pat_register"), frames.reach << shift)
    booted = partial(law.booted, frames, mappings, run.number("kernel_start"), run.number("kernel_range"))
    start = booted(lambda kernel_page: False)
    whole = Whole(run, start)
    pieces = Pieces(run)
    made, loop, level = Made(run, whole), Fixing(whole, booted, pieces), PAGE_SHIFTS.index(shift) + 1
    cut(run, made.kernel, "fix", lambda first, pages: loop)
    records: Any = object() if run.decide(z3.Bool("there is a memory map")) else None
    layout: Any = Layout
    machine: Any = code.Machine
    bits = layout(start.physical_bits, start.pat_register)
    sizes = machine(start.reach, start.image, level, bits, start.kernel_start, object(), object(), pieces)
    manager = run.call(code.Manager, sizes, records)
    run.claim("it knows its machine", manager.machine is sizes and manager.page_shift == shift)
    usable, *reach = made.of["boot"]
    everything = records is None and usable == [Record(0, TOP, 1)]
    run.claim("frames are what the memory map says, or all", usable is records or everything)
    due = [shift, start.reach, start.image]
    run.claim("and as many as the machine has", all(one is other for one, other in zip(reach, due, strict=True)))
    run.claim("ranges are as large as the machine's", made.of["Spaces"] == (sizes.kernel_depth, sizes.process_depth))
    built_on = (manager.bitmap, manager.halves, bits, level, start.reach)
    same = all(one is other for one, other in zip(made.of["Paging"], built_on, strict=True))
    run.claim("page tables are built on the same frames and processes", same)
    names = [each.name for each in (manager.bitmap, manager.spaces, manager.halves, manager.paging)]
    run.claim("each component is in its place", names == ["boot", "Spaces", "KernelHalf", "Paging"])
    nothing = not manager.given and not manager.lengths and not manager.frame_at
    run.claim("nothing is given yet, and there are no kernel pages", nothing)
    same_but_ghosts(run, booted(loop.reserved), whole.state)
