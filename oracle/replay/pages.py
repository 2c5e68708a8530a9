"""Replays `page.map` and `page.unmap` on the reference's page tables, and names the clause that broke.

The reference accepts exactly what the law does (that is proved), so as long as it accepts what is recorded, nothing
else is asked. A trace does not say which frames tables take, so these tables have frames of their own, without end, and
top-level tables apart from those that `pml4.*` speaks of. A process's tables are made when its pages are first spoken
of.

Three things the format says only in passing:

- What kernel pages map is unmapped only with them: nothing else releases what they hold.
- At level safe, and in what is taken of the kernel's range at start, pages are followed and not judged: a page that is
  mapped anew shows its new frame.
- An address that isn't canonical is a byte address still: it translates to nothing. One that has not 64 bits is none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from msgspec import UNSET

from memoracle.console.counted import counted
from memoracle.diagnostics import pages as page_words
from memoracle.diagnostics.divergence import REFUSAL, Finding, broken, of_unknown_process, since, wrongly_failed
from memoracle.diagnostics.levels import Handlers, Misuses, OfUnknownProcess, Rules
from memoracle.diagnostics.pages import mappings_of
from memoracle.impl import pat
from memoracle.impl.kernel_half import KernelHalf
from memoracle.impl.paging import Leaf, Paging
from memoracle.impl.pte import Layout
from memoracle.replay.doubted_pages import UNKNOWN, DoubtedPages, space_and_page
from memoracle.replay.exhaustion import exhausted, seem_exhausted
from memoracle.replay.frames import FrameReplay
from memoracle.replay.partial_state import Holdings
from memoracle.replay.private_pml4_entries import ENTRY_SHIFT, OwnEntries
from memoracle.replay.ranges import RangeReplay
from memoracle.replay.table_frames import TableFrames
from memoracle.spec import manager_mappings
from memoracle.spec import paging as law
from memoracle.spec.clauses import Clause
from memoracle.spec.kernel_half import ENTRIES, FIRST, process_lives
from memoracle.trace import events
from memoracle.trace.events import AnyEvent, number
from memoracle.trace.memory_types import NUMBERS

Handler: TypeAlias = Callable[[Any, int], Finding | None]
PageEvent: TypeAlias = events.PageMap | events.PageUnmap | events.PageTranslate | events.PageAttributes


@dataclass
class KernelBlock:
    """Kernel pages that live.

    line: the one that allocated them.  page: the first, in the kernel's range.  mapped: how many were mapped, which is
    all of them unless frames were missing.  frames: by their number among these pages, the frames that are known.
    unknown: of how many others nobody knows which they are.
    """

    line: int
    page: int
    pages: int
    mapped: int = 0
    frames: dict[int, int] = field(default_factory=dict)
    unknown: int = 0

    def overlaps(self, other: KernelBlock) -> bool:
        """Whether both have a page or a frame that is the same."""
        same_pages = self.page < other.page + other.pages and other.page < self.page + self.pages
        return same_pages or not {*self.frames.values()}.isdisjoint(other.frames.values())


@dataclass
class KernelPage:
    """One of them that is mapped, and what the trace has told of it: its frame, and what is allowed there."""

    block: KernelBlock
    place: int  # among the block's pages
    allowed_is_known: bool = False

    @property
    def frame_is_known(self) -> bool:
        return self.place in self.block.frames


class PageReplay:
    """The pages of one trace.

    made: by process (0 for the upper half of all) and address, the line that mapped each page.  kernel_pages: by
    address, the mapped pages of kernel pages.  lost_kernel_pages: those that were released wrongly, or seem to be.
    shown_at: by frame that is mapped, the process and page that last was.

    doubts: what a fault has left in doubt.  spread: links it to the doubts of other components; to be called, with a
    space and a page of it, where that is not as the trace explains.
    """

    def __init__(self, rules: Rules, tables: KernelHalf, frames: FrameReplay, ranges: RangeReplay) -> None:
        """tables says which processes live."""
        geometry = rules.geometry
        self.rules = rules
        self.safe = rules.safe
        self.geometry = geometry
        self.tables = tables
        self.frames = frames
        self.ranges = ranges
        self.own = OwnEntries(geometry)
        self.layout = Layout(geometry.physical_address_bits, geometry.pat_register)
        self.paging = Paging(TableFrames(), KernelHalf(), self.layout, geometry.leaf_level, geometry.frames)
        self.made: dict[int, dict[int, int]] = {0: {}}
        self.lost_kernel_pages: dict[int, KernelPage] = {}
        self.kernel_pages: dict[int, KernelPage] = {}
        self.kernel_start = geometry.kernel_range.start
        self.shown_at: dict[int, tuple[int, int]] = {}
        self.doubts = DoubtedPages(self.paging, frames, geometry.page_shift)
        self.spread: Callable[[int, int], None] = lambda space, page: None
        self.of_unknown_process: OfUnknownProcess = lambda process, is_question: of_unknown_process(tables, process)
        frames.uses, frames.shown_by = self.paging.uses, self.shown_by
        self.some_type = pat.decode(geometry.pat_register, 0) or 0  # of memory, that some index has

    def handlers(self) -> Handlers:
        """What replays each of these operations."""
        return {events.PageMap: self.map, events.PageUnmap: self.unmap}

    def misuses(self) -> Misuses:
        """What of the law each of these operations breaks as it was called."""
        return {events.PageMap: self.violated_by_call_of_map, events.PageUnmap: self.violated_by_call_of_unmap}

    def violated_by_call_of_map(self, event: events.PageMap, line: int) -> Clause | None:
        process, virtual = number(event.process), number(event.virtual)
        if self.is_reserved(virtual):
            return None
        return process_lives if not self.lives(process) else self.violated_by_map(process, virtual, leaf_of(event))

    def violated_by_call_of_unmap(self, event: events.PageUnmap, line: int) -> Clause | None:
        process, virtual = number(event.process), number(event.virtual)
        if self.is_reserved(virtual):
            return None
        return process_lives if not self.lives(process) else self.violated_by_unmap(process, virtual)

    def lives(self, process: int) -> bool:
        """Whether a process lives; then it has tables from now on."""
        if process in self.paging.roots:
            return True
        # At level safe it is not asked where a process comes from.
        if process not in self.tables.live and not (self.safe and self.tables.create(process)):
            return False
        self.made[process] = {}
        return self.paging.create(process)

    def maps_by(self, process: int, index: int) -> bool:
        """Whether a page is mapped through this entry of a process's PML4, beyond doubt."""
        tables, owner = self.paging.halves.tables, process if index < FIRST else 0
        if owner not in tables or tables[owner][index] == 0:
            return False
        if None not in self.doubts.shown.values():
            return True
        pages = (page for page in self.made[owner] if page >> ENTRY_SHIFT & ENTRIES - 1 == index)
        return any(self.doubts.shown.get((owner, page), UNKNOWN) is not None for page in pages)

    def doubt_pages_by(self, process: int, index: int) -> None:
        """The pages that are mapped through this entry of a process's PML4 seem not to be."""
        owner = process if index < FIRST else 0
        for page in self.made[owner]:
            if page >> ENTRY_SHIFT & ENTRIES - 1 == index:
                self.doubts.was_not_mapped(owner, page)

    def forget(self, process: int, line: int, release: bool) -> tuple[dict[int, int], list[int]]:
        """What a process mapped goes with it, and, with `release`, each frame that nothing maps any more is freed.

        Returns, by address, the frame that each page showed, and the frames that were freed.
        """
        shown: dict[int, int] = {}
        freed: list[int] = []
        if process not in self.paging.roots:
            return shown, freed
        for virtual in [*self.paging.mapped[process]]:
            unmapped = self.paging.unmap(process, virtual)
            if unmapped is not None:
                shown[virtual] = unmapped.frame
                if unmapped.last:
                    self.shown_at.pop(unmapped.frame, None)
                    if release and self.frames.release(unmapped.frame, line):
                        freed.append(unmapped.frame)
        self.paging.exit(process)
        del self.made[process]
        self.own.forget(process)
        self.doubts.forget(process, release)
        return shown, freed

    def unknown_process(self, event: PageEvent, line: int, handler: Handler) -> Finding | None:
        """An operation of a process that does not exist; if it succeeds, the process is taken to exist from now on."""
        if not event.succeeded:
            return None
        process = number(event.process)
        is_question = isinstance(event, events.QUERIES)
        finding = self.of_unknown_process(process, is_question)
        if is_question or process not in self.tables.live:
            return finding
        virtual = number(event.virtual)
        before = self.paging.translate(0, virtual)
        handler(event, line)
        if virtual >= law.HALF and self.paging.translate(0, virtual) != before:
            self.doubts.shown[0, virtual] = before  # it may not have changed the kernel's pages
            if before is not None:
                self.frames.doubts.add({before >> self.geometry.page_shift})
        return finding

    def is_judged(self, virtual: int) -> bool:
        """Whether anything is asked of what is mapped at this address."""
        return not self.safe and not self.is_reserved(virtual)

    def is_reserved(self, virtual: int) -> bool:
        """Whether an address lies in what is taken of the kernel's range at start."""
        page = virtual - self.kernel_start >> self.geometry.page_shift
        return any(piece.page <= page < piece.page + piece.pages for piece in self.geometry.kernel_reserved)

    # page.map

    def map(self, event: events.PageMap, line: int) -> Finding | None:
        process, virtual = number(event.process), number(event.virtual)
        leaf = leaf_of(event)
        if event.error is not UNSET:
            return self.map_failed(event, process, virtual, leaf)
        if (process in self.paging.roots or self.lives(process)) and self.paging.map(process, virtual, leaf):
            self.made[process if virtual < law.HALF else 0][virtual] = line
            self.note(process, virtual, leaf)
            return None
        return self.mapped_wrongly(event, process, virtual, leaf, line)

    def map_failed(self, event: events.PageMap, process: int, virtual: int, leaf: Leaf) -> Finding | None:
        if self.rules.lacking_passes or not self.is_judged(virtual) or exhausted(self.frames, self.ranges):
            return None
        if self.may_be_misuse(event) or self.is_settled(process, virtual, mapped=True):
            return None
        says = "a page is mapped as long as frames and kernel range are left, unless something is wrong with it"
        self.doubts.shown[space_and_page(process, virtual)] = UNKNOWN
        seem_exhausted(self.frames, self.ranges)
        return wrongly_failed(law.map_page.name, event.error, "success", says, self.around(process, virtual))

    def mapped_wrongly(
        self, event: events.PageMap, process: int, virtual: int, leaf: Leaf, line: int
    ) -> Finding | None:
        judged = self.is_judged(virtual)
        if not self.lives(process):
            return self.unknown_process(event, line, self.map) if judged else None
        finding = self.not_mappable(process, virtual, leaf) if judged else None
        if self.is_settled(process, virtual, mapped=False):
            finding = None
        before, made = self.shown_leaf(process, virtual) if finding else None, self.line_of(process, virtual)
        self.show(process, virtual, leaf, line)
        if before is not None:
            self.doubts.replaced[space_and_page(process, virtual)] = before, made
            shift = self.geometry.page_shift
            self.doubts.miscounted |= {before.physical >> shift, leaf.physical >> shift}
        return finding and replace(finding, after=self.around(process, virtual))

    def not_mappable(self, process: int, virtual: int, leaf: Leaf) -> Finding:
        """What is found where a page was mapped that must not be."""
        clause = broken(self.violated_by_map(process, virtual, leaf))
        if clause is law.page_is_unmapped:
            message = f"{virtual:#x} {self.mapped_to(process, virtual)} already"
        else:
            message = page_words.describe(clause, self.paging, virtual, leaf.physical, leaf.cache)
        return Finding(clause.name, clause.says, message, REFUSAL, self.around(process, virtual))

    def violated_by_map(self, process: int, virtual: int, leaf: Leaf) -> Clause | None:
        """The first clause that refuses to map this; None if it is accepted."""
        return law.map_page.broken(
            mappings_of(self.paging), process=process, virtual=virtual, physical=leaf.physical, cache=leaf.cache
        )

    def show(self, process: int, virtual: int, leaf: Leaf, line: int) -> bool:
        """Maps a page whatever is mapped there, if it can be; the frame that it showed is not released."""
        if not self.paging.map(process, virtual, leaf):
            if self.violated_by_map(process, virtual, leaf) is not law.page_is_unmapped:
                return False
            self.hide(process, virtual)
            self.paging.map(process, virtual, leaf)
        self.made_by(process, virtual, leaf, line)
        return True

    def made_by(self, process: int, virtual: int, leaf: Leaf, line: int) -> None:
        """A line mapped a page."""
        self.made[process if virtual < law.HALF else 0][virtual] = line
        self.note(process, virtual, leaf)

    def shown_leaf(self, process: int, virtual: int) -> Leaf | None:
        """How a page is mapped, unless it is one of kernel pages."""
        physical, allowed = self.paging.translate(process, virtual), self.paging.attributes(process, virtual)
        if physical is None or allowed is None or virtual in self.kernel_pages:
            return None
        return Leaf(physical, allowed.cache, allowed.writable, allowed.executable, allowed.global_)

    def kept(self, process: int, page: int, agrees: Callable[[Leaf], bool]) -> bool:
        """Whether a page that was mapped twice shows what it did before, by an answer; from now on it does."""
        leaf, line = self.doubts.replaced.get(space_and_page(process, page), (None, 0))
        if leaf is None or not agrees(leaf):
            return False
        self.hide(process, page)
        self.paging.map(process, page, leaf)  # as it was before: nothing can be wrong with it
        self.made_by(process, page, leaf, line)
        return True

    def note(self, process: int, virtual: int, leaf: Leaf) -> None:
        """A page was mapped."""
        frame = leaf.physical >> self.geometry.page_shift
        if frame < self.paging.counted:
            self.shown_at[frame] = (process, virtual)
        if self.doubts.shown:
            self.doubts.shown.pop(space_and_page(process, virtual), None)
            self.lost_kernel_pages.pop(virtual, None)
        if self.doubts.replaced:
            self.doubts.replaced.pop(space_and_page(process, virtual), None)
        if self.doubts.adopted:
            self.doubts.adopted.discard(space_and_page(process, virtual))
        self.own.changed(process, virtual)

    def is_settled(self, process: int, virtual: int, mapped: bool) -> bool:
        """Whether a page is as a wrong answer had it, mapped or not; it counts from now on."""
        key = space_and_page(process, virtual)
        self.spread(*key)
        if key not in self.doubts.shown or (self.doubts.shown[key] is not None) != mapped:
            return False
        physical = self.doubts.shown[key]
        if physical == UNKNOWN:
            return True
        del self.doubts.shown[key]
        if physical is None:
            self.hide(process, virtual)
        else:
            lost = self.lost_kernel_pages.get(virtual)
            if self.show(process, virtual, Leaf(physical, self.some_type), 0):
                self.doubts.adopted.add(key)
            if lost is not None:
                self.kernel_pages[virtual] = lost
        return True

    def may_be_misuse(self, event: AnyEvent) -> bool:
        """Whether this maps a page of the kernel's for another process, where the geometry has a policy of misuse."""
        if not isinstance(event, events.PageMap) or law.map_page.name not in dict(self.geometry.misuse):
            return False
        return number(event.process) != 0 and number(event.virtual) >= law.HALF

    def shown_by(self, frame: int) -> str:
        """Which page shows a frame that is mapped, since which line, and how many others do."""
        process, virtual = self.shown_at.get(frame, (0, 0))
        if self.paging.translate(process, virtual) != frame << self.geometry.page_shift:
            pages = ((space, page) for space, made in self.made.items() for page in made)
            physical = frame << self.geometry.page_shift
            process, virtual = next(each for each in pages if self.paging.translate(*each) == physical)
            self.shown_at[frame] = (process, virtual)
        whose = f"process {process}" if virtual < law.HALF else "the kernel"
        others = self.paging.uses[frame] - 1
        more = f", and by {counted(others, 'more page')}" if others else ""
        return f"{whose} maps it at {virtual:#x}{since(self.line_of(process, virtual))}{more}"

    def hide(self, process: int, virtual: int) -> None:
        """Unmaps a page, if it is mapped."""
        unmapped = self.paging.unmap(process, virtual)
        if unmapped is not None:
            if unmapped.last:
                self.shown_at.pop(unmapped.frame, None)
            self.made[process if virtual < law.HALF else 0].pop(virtual, None)
            self.kernel_pages.pop(virtual, None)
            self.doubts.adopted.discard(space_and_page(process, virtual))
            self.own.changed(process, virtual)

    # page.unmap

    def unmap(self, event: events.PageUnmap, line: int) -> Finding | None:
        process, virtual = number(event.process), number(event.virtual)
        if event.error is not UNSET:
            return self.unmap_failed(event, process, virtual)
        unmapped = None
        if virtual not in self.kernel_pages and (process in self.paging.roots or self.lives(process)):
            unmapped = self.paging.unmap(process, virtual)
        if unmapped is None:
            return self.unmapped_wrongly(event, process, virtual, line)
        space = process if virtual < law.HALF else 0
        self.made[space].pop(virtual, None)
        self.own.changed(process, virtual)
        self.doubts.unmapped.append((space, virtual, unmapped.frame))
        if self.doubts.shown:
            self.doubts.shown.pop(space_and_page(process, virtual), None)
        if self.doubts.adopted:
            self.doubts.adopted.discard((space, virtual))
        if self.doubts.miscounted and event.release:
            self.release_in_doubt(process, virtual, unmapped.frame)
        if unmapped.last:
            self.shown_at.pop(unmapped.frame, None)
            if event.release:
                self.frames.release(unmapped.frame, line)
        return None

    def release_in_doubt(self, process: int, virtual: int, frame: int) -> None:
        """A page was unmapped that was mapped twice, or shows a frame that such a page does."""
        before, _ = self.doubts.replaced.pop(space_and_page(process, virtual), (None, 0))
        frames = {frame} if before is None else {frame, before.physical >> self.geometry.page_shift}
        self.frames.doubts.add(frames & self.doubts.miscounted)

    def unmap_failed(self, event: events.PageUnmap, process: int, virtual: int) -> Finding | None:
        if not self.is_judged(virtual) or self.is_settled(process, virtual, mapped=False):
            return None
        state, says = self.around(process, virtual), "what is mapped can be unmapped"
        self.doubts.was_not_mapped(process, virtual)
        return wrongly_failed(law.unmap.name, event.error, "success", says, state)

    def unmapped_wrongly(self, event: events.PageUnmap, process: int, virtual: int, line: int) -> Finding | None:
        judged = self.is_judged(virtual)
        if not self.lives(process):
            return self.unknown_process(event, line, self.unmap) if judged else None
        if self.is_settled(process, virtual, mapped=True):
            physical = self.paging.translate(process, virtual)
            self.hide(process, virtual)
            self.doubts.shown.pop(space_and_page(process, virtual), None)
            frame = -1 if physical is None else physical >> self.geometry.page_shift
            if event.release and frame not in self.paging.uses:
                self.frames.release(frame, line)
            return None
        if event.release:
            self.doubts.release_again(space_and_page(process, virtual))
        before, clause = self.around(process, virtual), self.violated_by_unmap(process, virtual)
        message = f"{virtual:#x} {self.mapped_to(process, virtual)}, for kernel pages"
        if clause is manager_mappings.unmaps_no_kernel_page:
            lost = self.kernel_pages[virtual]
            physical = self.paging.translate(process, virtual) if lost.frame_is_known else UNKNOWN
            self.hide(process, virtual)
            self.lost_kernel_pages[virtual] = lost
            self.doubts.shown[space_and_page(process, virtual)] = physical
        elif clause is not None:
            message = page_words.describe(clause, self.paging, virtual)
        if not judged:
            return None
        clause = broken(clause)
        return Finding(clause.name, clause.says, message, REFUSAL, before, self.around(process, virtual))

    def violated_by_unmap(self, process: int, virtual: int) -> Clause | None:
        """The first clause that refuses to unmap this; None if it is accepted."""
        refused = law.unmap.broken(mappings_of(self.paging), process=process, virtual=virtual)
        page, clause = virtual - self.kernel_start >> self.geometry.page_shift, manager_mappings.unmaps_no_kernel_page
        return refused or (None if clause(self.holdings(), process, virtual, page) else clause)

    def holdings(self) -> Holdings:
        """Which pages are kernel pages."""
        shift, start = self.geometry.page_shift, self.kernel_start
        return Holdings(
            kernel_start=start,
            page_shift=shift,
            pages_at=lambda page: int(start + (page << shift) in self.kernel_pages),
            block_of=lambda process, page: page,
        )

    # In words

    def mapped_to(self, process: int, virtual: int) -> str:
        """What an address is mapped to in truth."""
        page = virtual >> self.geometry.page_shift << self.geometry.page_shift
        line = since(self.line_of(process, page))
        kernel_page = self.kernel_pages.get(page)
        if kernel_page is not None and not kernel_page.frame_is_known:
            return f"is mapped to a frame of kernel pages{line}"
        physical = self.paging.translate(process, virtual)
        return "is not mapped" if physical is None else f"is mapped to {physical:#x}{line}"

    def line_of(self, process: int, page: int) -> int:
        """The line that mapped a page, or 0."""
        return self.made[process if page < law.HALF else 0].get(page, 0)

    def around(self, process: int, virtual: int) -> dict[str, Any]:
        """The state around an address."""
        page = virtual >> self.geometry.page_shift << self.geometry.page_shift
        kernel_page = self.kernel_pages.get(page)
        known = kernel_page is None or kernel_page.frame_is_known
        return page_words.around(self.paging, process, virtual, self.line_of(process, page), known)


def leaf_of(event: events.PageMap) -> Leaf:
    return Leaf(number(event.physical), NUMBERS[event.cache], event.writable, event.executable, event.global_)
