"""The pages of a trace: what is mapped where, since which line, and what of it is in doubt.

A trace does not say which frames tables take, so the reference's page tables have frames of their own here, without
end, and top-level tables apart from those that `pml4.*` speaks of. A process's tables are made when its pages are first
spoken of.

At level safe, and in what is taken of the kernel's range at start, pages are followed and not judged: a page that is
mapped again shows its new frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from memoracle.console.counted import counted
from memoracle.diagnostics import pages as page_words
from memoracle.diagnostics.divergence import REFUSAL, Finding, broken, of_unknown_process, since
from memoracle.diagnostics.levels import OfUnknownProcess, Rules
from memoracle.diagnostics.pages import mappings_of
from memoracle.impl import pat
from memoracle.impl.kernel_half import KernelHalf
from memoracle.impl.paging import Leaf, Paging
from memoracle.impl.pte import Layout
from memoracle.replay.common.ways import over
from memoracle.replay.frames.frames import FrameReplay
from memoracle.replay.pages.doubted_pages import UNKNOWN, DoubtedPages, Key, Replaced, space_and_page
from memoracle.replay.pages.kernel_blocks import KernelPage
from memoracle.replay.pages.private_pml4_entries import ENTRY_SHIFT, OwnEntries
from memoracle.replay.pages.table_frames import TableFrames
from memoracle.replay.ranges.process_ranges import AnyRanges
from memoracle.spec import paging as law
from memoracle.spec.clauses import Clause
from memoracle.spec.kernel_half import ENTRIES, FIRST
from memoracle.trace import events
from memoracle.trace.numbers import number

Handler: TypeAlias = Callable[[Any, int], Finding | None]
PageEvent: TypeAlias = events.PageMap | events.PageUnmap | events.PageTranslate | events.PageAttributes


class MappedPages:
    """The pages of one trace.

    made: by process (0 for the upper half of all) and address, the line that mapped each page.  kernel_pages: by
    address, the mapped pages of kernel pages.  lost_kernel_pages: those that were released wrongly, or seem to be.
    shown_at: by frame that is mapped, the process and page that last was.  direct_known: the pages of the direct map of
    which the trace has said whether they are mapped.

    doubts: what a fault has left in doubt.  spread: links it to the doubts of other components; to be called, with a
    space and a page of it, where that is not as the trace explains.
    """

    def __init__(self, rules: Rules, tables: KernelHalf, frames: FrameReplay, ranges: AnyRanges) -> None:
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
        sizes = self.layout, geometry.leaf_level, geometry.frames, *geometry.direct_pages
        self.paging = Paging(TableFrames(), KernelHalf(), *sizes)
        self.made: dict[int, dict[int, int]] = {0: {}}
        self.lost_kernel_pages: dict[int, KernelPage] = {}
        self.kernel_pages: dict[int, KernelPage] = {}
        self.kernel_start = geometry.kernel_range.start
        self.shown_at: dict[int, tuple[int, int]] = {}
        self.direct_known: set[int] = set()
        self.doubts = DoubtedPages(self.paging, frames, geometry.page_shift)
        self.spread: Callable[[int, int], None] = lambda space, page: None
        self.of_unknown_process: OfUnknownProcess = lambda process, is_question: of_unknown_process(tables, process)
        frames.uses, frames.shown_by = self.paging.uses, self.shown_by
        self.some_type = pat.decode(geometry.pat_register, 0) or 0  # of memory, that some index has

    def lives(self, process: int) -> bool:
        """Whether a process lives; then it has tables from now on."""
        if process in self.paging.roots:
            return True
        # At level safe it is not asked where a process comes from.
        if process not in self.tables.live and not (self.safe and self.tables.create(process)):
            return False
        self.made[process] = {}
        return self.paging.create(process)

    def may_be_direct(self, virtual: int) -> bool:
        """Whether an address is the direct map's, and nothing is known of its page: it may be mapped from the start."""
        if self.geometry.direct_address(virtual) is None:
            return False
        page = self.page_of(virtual)
        return page not in self.direct_known and page not in self.made[0]

    def was_direct(self, virtual: int, leaf: Leaf) -> bool:
        """Whether an answer is of a page that the direct map has had from the start; from now on it is known."""
        page = self.page_of(virtual)
        if not self.may_be_direct(virtual) or leaf.physical != self.geometry.direct_address(page):
            return False
        return self.show(0, page, leaf, 0)

    def was_direct_somehow(self, virtual: int) -> None:
        """A page of the direct map is mapped from the start; what is allowed there is not known."""
        page = self.page_of(virtual)
        if self.was_direct(virtual, self.some_leaf(self.geometry.direct_address(page) or 0)):
            self.doubts.adopted.add((0, page))

    def some_leaf(self, physical: int) -> Leaf:
        """How a page may be mapped of which nothing is known, but that some type of memory serves."""
        return Leaf(physical, self.some_type, True, True, False)

    def know_direct(self, virtual: int) -> None:
        """From now on it is known of this page, if it is the direct map's, whether it is mapped."""
        if self.geometry.direct_address(virtual) is not None:
            self.direct_known.add(self.page_of(virtual))

    def page_of(self, virtual: int) -> int:
        """The address of the page in which this one lies."""
        return virtual >> self.geometry.page_shift << self.geometry.page_shift

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
                    if release and self.release(unmapped.frame, line):
                        freed.append(unmapped.frame)
                elif release:
                    self.withhold(unmapped.frame, line)
        self.paging.exit(process)
        del self.made[process]
        self.own.forget(process)
        self.doubts.forget(process, release)
        return shown, freed

    def release(self, frame: int, line: int) -> bool:
        """Whether a frame that no page shows any more was freed: not if it has other uses."""
        return frame not in self.frames.gets and self.frames.release(frame, line)

    def withhold(self, frame: int, line: int) -> None:
        """A release did not free a frame, since another page shows it."""
        if frame < self.paging.counted:
            self.doubts.withheld[frame] = line

    def is_use(self, virtual: int) -> bool:
        """Whether a page here is a use of the frame that it shows, if uses of that are counted."""
        return virtual < law.HALF or self.geometry.direct_address(virtual) is None

    def only_page_of(self, frame: int) -> Key | None:
        """The page that shows a frame, if there is just one."""
        if self.paging.uses.get(frame) != 1:
            return None
        return space_and_page(*self.page_of_frame(frame))

    def is_judged(self, virtual: int) -> bool:
        """Whether anything is asked of what is mapped at this address."""
        return not self.safe and not self.is_reserved(virtual)

    def is_reserved(self, virtual: int) -> bool:
        """Whether an address lies in what is taken of the kernel's range at start."""
        page = virtual - self.kernel_start >> self.geometry.page_shift
        return any(piece.page <= page < piece.page + piece.pages for piece in self.geometry.kernel_reserved)

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

    def mapping_of(self, process: int, virtual: int) -> Replaced | None:
        """How a page is mapped, and since when."""
        physical, allowed = self.paging.translate(process, virtual), self.paging.attributes(process, virtual)
        if physical is None or allowed is None:
            return None
        leaf = Leaf(physical, allowed.cache, allowed.writable, allowed.executable, allowed.global_)
        return Replaced(leaf, self.line_of(process, virtual), self.kernel_pages.get(virtual))

    def kept(self, process: int, page: int, agrees: Callable[[Replaced], bool]) -> bool:
        """Whether a page that was mapped twice is as it was before, by an answer; from now on it is."""
        before = self.doubts.replaced.get(space_and_page(process, page))
        if before is None or not agrees(before):
            return False
        self.hide(process, page)
        self.paging.map(process, page, before.leaf)  # as it was before: nothing can be wrong with it
        self.made_by(process, page, before.leaf, before.line)
        if before.kernel_page is not None:
            self.kernel_pages[page] = before.kernel_page
        return True

    def note(self, process: int, virtual: int, leaf: Leaf) -> None:
        """A page was mapped."""
        frame = leaf.physical >> self.geometry.page_shift
        if frame < self.paging.counted and self.is_use(virtual):
            self.shown_at[frame] = (process, virtual)
        if self.doubts.shown:
            self.doubts.shown.pop(space_and_page(process, virtual), None)
            self.lost_kernel_pages.pop(virtual, None)
        if self.doubts.replaced:
            self.doubts.replaced.pop(space_and_page(process, virtual), None)
        if self.doubts.adopted:
            self.doubts.adopted.discard(space_and_page(process, virtual))
        if self.doubts.suspected:
            self.doubts.suspected.discard(space_and_page(process, virtual))
        self.own.changed(process, virtual)

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

    def end(self) -> None:
        """Nothing more is replayed: lets go of those that know these pages."""
        self.spread = self.of_unknown_process = over

    def is_settled(self, process: int, virtual: int, mapped: bool, is_spread: bool = False) -> bool:
        """Whether a page is as a wrong answer had it, mapped or not; it counts from now on.

        is_spread: doubts were spread just now, because of another page of the same operation.
        """
        key = space_and_page(process, virtual)
        self.doubts.was_otherwise(key)
        if key in self.doubts.shown or not is_spread:
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

    # In words

    def page_of_frame(self, frame: int) -> tuple[int, int]:
        """A process, and a page of it that shows a frame which is mapped."""
        process, virtual = self.shown_at.get(frame, (0, 0))
        physical = frame << self.geometry.page_shift
        if self.paging.translate(process, virtual) != physical:
            process, virtual = self.shown_at[frame] = next(
                (space, page)
                for space, made in self.made.items()
                for page in made
                if self.is_use(page) and self.paging.translate(space, page) == physical
            )
        return process, virtual

    def shown_by(self, frame: int) -> str:
        """Which page shows a frame that is mapped, since which line, and how many others do."""
        process, virtual = self.page_of_frame(frame)
        whose = f"process {process}" if virtual < law.HALF else "the kernel"
        others = self.paging.uses[frame] - 1
        more = f", and by {counted(others, 'more page')}" if others else ""
        return f"{whose} maps it at {virtual:#x}{since(self.line_of(process, virtual))}{more}"

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
