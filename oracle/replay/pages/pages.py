"""Replays `page.map` and `page.unmap` on the reference's page tables, and names the clause that broke.

The reference accepts exactly what the law does (that is proved), so as long as it accepts what is recorded, nothing
else is asked. What kernel pages map is unmapped only with them: nothing else releases what they hold.
"""

from __future__ import annotations

from dataclasses import replace

from msgspec import UNSET

from memoracle.diagnostics import pages as page_words
from memoracle.diagnostics.divergence import REFUSAL, Finding, broken, wrongly_failed
from memoracle.diagnostics.levels import Handlers, Misuses
from memoracle.diagnostics.pages import mappings_of
from memoracle.impl.paging import TOP, Leaf
from memoracle.replay.common.partial_state import Holdings
from memoracle.replay.pages.doubted_pages import UNKNOWN, space_and_page
from memoracle.replay.pages.mapped_pages import MappedPages
from memoracle.replay.ranges.exhaustion import exhausted, seem_exhausted
from memoracle.spec import manager_mappings
from memoracle.spec import paging as law
from memoracle.spec.clauses import Clause
from memoracle.spec.kernel_half import process_lives
from memoracle.trace import events
from memoracle.trace.events import AnyEvent
from memoracle.trace.memory_types import NUMBERS
from memoracle.trace.numbers import number


class PageReplay(MappedPages):
    """Replays what maps and unmaps the pages of one trace."""

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
        if self.frames.are_short(self.tables_due(process, virtual)):
            return None
        if self.may_be_misuse(event) or self.is_settled(process, virtual, mapped=True):
            return None
        if self.may_be_direct(virtual):
            self.was_direct_somehow(virtual)
            return None
        says = "a page is mapped as long as frames and kernel range are left, unless something is wrong with it"
        self.doubts.shown[space_and_page(process, virtual)] = UNKNOWN
        seem_exhausted(self.frames, self.ranges)
        return wrongly_failed(law.map_page.name, event.error, "success", says, self.around(process, virtual))

    def tables_due(self, process: int, virtual: int) -> int:
        """How many frames a page may need for tables: one at least, and all, where a trace names them."""
        if not self.frames.table_frames:
            return 1
        return max(1, TOP - self.geometry.leaf_level - len(self.paging._tables(process, virtual)))

    def mapped_wrongly(
        self, event: events.PageMap, process: int, virtual: int, leaf: Leaf, line: int
    ) -> Finding | None:
        judged = self.is_judged(virtual)
        if not self.lives(process):
            return self.unknown_process(event, line, self.map) if judged else None
        finding = self.not_mappable(process, virtual, leaf) if judged else None
        if self.is_settled(process, virtual, mapped=False):
            finding = None
        before = self.mapping_of(process, virtual) if finding else None
        self.show(process, virtual, leaf, line)
        if before is not None:
            self.doubts.replaced[space_and_page(process, virtual)] = before
            shift = self.geometry.page_shift
            self.doubts.miscounted |= {before.leaf.physical >> shift, leaf.physical >> shift}
        return finding and replace(finding, after=self.around(process, virtual))

    def may_be_misuse(self, event: AnyEvent) -> bool:
        """Whether this maps a page of the kernel's for another process, where the geometry has a policy of misuse."""
        if not isinstance(event, events.PageMap) or law.map_page.name not in dict(self.geometry.misuse):
            return False
        return number(event.process) != 0 and number(event.virtual) >= law.HALF

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
        self.know_direct(virtual)
        self.own.changed(process, virtual)
        if self.doubts.shown:
            self.doubts.shown.pop(space_and_page(process, virtual), None)
        if self.doubts.adopted:
            self.doubts.adopted.discard((space, virtual))
        if self.doubts.miscounted and event.release:
            self.release_in_doubt(process, virtual, unmapped.frame)
        freed = False
        if unmapped.last:
            self.shown_at.pop(unmapped.frame, None)
            freed = event.release and self.release(unmapped.frame, line)
            if self.doubts.withheld:
                self.doubts.withheld.pop(unmapped.frame, None)
        elif event.release and self.is_use(virtual):
            self.withhold(unmapped.frame, line)
        self.doubts.unmapped.append((space, virtual, unmapped.frame, line if freed else 0))
        return None

    def release_in_doubt(self, process: int, virtual: int, frame: int) -> None:
        """A page was unmapped that was mapped twice, or shows a frame that such a page does."""
        before = self.doubts.replaced.pop(space_and_page(process, virtual), None)
        frames = {frame} if before is None else {frame, before.leaf.physical >> self.geometry.page_shift}
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
                self.release(frame, line)
            return None
        if self.may_be_direct(virtual) and self.violated_by_unmap(process, virtual) is law.page_is_mapped:
            self.know_direct(virtual)
            return None
        self.doubts.unmapped_again(space_and_page(process, virtual), event.release)
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


def leaf_of(event: events.PageMap) -> Leaf:
    return Leaf(number(event.physical), NUMBERS[event.cache], event.writable, event.executable, event.global_)
