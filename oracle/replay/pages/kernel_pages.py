"""Replays `kernel_pages.*`: a block of the kernel's range and frames, taken as `range.allocate` and `frame.allocate`
take them, and mapped as `page.map` maps.

A trace may name the frames. Where it does not, they are unknown: until the trace tells (see
`page_queries`) they count as private, as if the header said `private_frames`. How many there are is known, so no
more frames are free than the trace explains without them.

Freed are exactly the pages that were asked for: unlike `range.free`, the format says nothing of a rounded size.

What is allowed at kernel pages the format does not say, but that they are the kernel's: at level exact it is what the
reference allows, else what the trace tells first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from msgspec import UNSET

from memoracle.console.counted import agreeing, counted
from memoracle.diagnostics.divergence import PREFERS, REFUSAL, Finding, broken, since, wrongly_failed
from memoracle.diagnostics.levels import EXACT, Handlers, Misuses
from memoracle.diagnostics.pages import mappings_of
from memoracle.impl.paging import Leaf
from memoracle.replay.common.partial_state import Holdings
from memoracle.replay.frames.linked_doubts import WHOLE
from memoracle.replay.pages.held_kernel_pages import HeldKernelPages
from memoracle.replay.pages.kernel_blocks import KernelBlock, KernelPage
from memoracle.replay.ranges.address_space import AddressSpace
from memoracle.spec import kernel_pages as law
from memoracle.spec import manager
from memoracle.spec.clauses import Clause
from memoracle.spec.paging import type_is_available
from memoracle.trace import events
from memoracle.trace.numbers import number

ALLOCATE, FREE = "kernel_pages.allocate", "kernel_pages.free"


class KernelPagesReplay(HeldKernelPages):
    """Replays what allocates and frees the kernel pages of one trace."""

    def handlers(self) -> Handlers:
        """What replays each of these operations."""
        return {events.KernelPagesAllocate: self.allocate, events.KernelPagesFree: self.free}

    def misuses(self) -> Misuses:
        """What of the law each of these operations breaks as it was called."""
        return {
            events.KernelPagesAllocate: lambda event, line: self.ranges.violated_by_allocate(
                events.RangeAllocate(pages=event.pages, error=""), line
            ),
            events.KernelPagesFree: lambda event, line: self.violated_by_free(
                self.page_at(number(event.address)), number(event.pages)
            ),
        }

    def page_at(self, address: int) -> int:
        """The page of the kernel's range that begins at an address; -1 if none does."""
        return self.page_of(address) if address % self.geometry.page_size == 0 else -1

    def pages_at(self, address: int) -> int:
        """How many kernel pages were allocated together, of which the first begins at an address; 0 if none does."""
        block = self.live.get(self.page_at(address))
        return 0 if block is None else block.pages

    def state(self) -> Holdings:
        return Holdings(
            free_frames=self.frames.free_frames,
            pages_at=lambda page: self.live[page].pages if page in self.live else 0,
        )

    # kernel_pages.allocate

    def allocate(self, event: events.KernelPagesAllocate, line: int) -> Finding | None:
        """The first of what is wrong: with the block, with the frames, with the mappings; what can be is adopted."""
        pages = number(event.pages)
        named = None if event.frames is UNSET else [number(address) for address in event.frames]
        if event.result is None:
            return self.allocate_failed(event, pages, named)
        address = number(event.result)
        asked = events.RangeAllocate(pages=pages, result=address)
        found = self.ranges.allocate(asked, line)
        block = KernelBlock(line, self.page_of(address), pages)
        if found is not None and not found.clause.endswith(PREFERS) and not self.may_be_there(block):
            return found
        of_frames = self.count_frames(block) if named is None else self.take_frames(block, named)
        of_pages = self.map_pages(block)
        if block.page in self.live:
            self.others[block.page].append(self.live[block.page])
        self.live[block.page] = block
        self.doubted.discard((block.page, block.pages))
        self.ranges.known[0].kernel_blocks.add(block.page)
        return found or of_frames or of_pages

    def may_be_there(self, block: KernelBlock) -> bool:
        """Whether the block that was taken wrongly may be there all the same, in the place of others."""
        return self.may_be_allocated(block.page, block.pages)

    def count_frames(self, block: KernelBlock) -> Finding | None:
        """Takes as many frames as there are pages; which ones is not known."""
        state, before = self.state(), self.frames.totals()
        enough = law.frames_suffice(state, block.pages)
        block.unknown = block.mapped = block.pages if enough else max(0, self.frames.free_frames)
        self.rules.unknown_frames += block.unknown
        self.frames.ran_out |= self.frames.free_frames <= 0
        if enough:
            return None
        clause, message = law.frames_suffice, f"{counted(block.pages, 'page')} {was(block.pages)} allocated"
        return Finding(clause.name, clause.says, message, REFUSAL, before, self.frames.totals())

    def take_frames(self, block: KernelBlock, named: list[int]) -> Finding | None:
        """Takes the frames that were named, as if each were allocated."""
        found, block.mapped = None, min(block.pages, len(named))
        clause, around = law.each_page_has_its_frame, self.frames.totals()
        if not self.rules.safe and not clause(self.state(), block.pages, len(named)):
            frames = f"{counted(len(named), 'frame')} {agreeing(len(named), 'is', 'are')}"
            message = f"{frames} named for {counted(block.pages, 'page')}"
            found = Finding(clause.name, clause.says, message, counted(block.pages, "frame"), around, around)
        for place, address in enumerate(named):
            wrong = self.frames.allocate(events.FrameAllocate(result=address), block.line)
            frame = self.geometry.frame_at(address)
            if wrong is not None and frame in block.frames.values():
                wrong = replace(wrong, message=f"frame {frame} is named twice")
            found = found or wrong
            if frame is not None and (wrong is None or wrong.clause.endswith(PREFERS)):
                self.frames.kernel_page_frames[frame] = block.line
                block.frames[place] = frame
            elif frame is not None and frame not in block.frames.values():
                block.disputed.add(frame)
        return found

    def map_pages(self, block: KernelBlock) -> Finding | None:
        """Maps the pages of a block; what is allowed there, and an unknown frame, is not held against anything."""
        found, pages = None, self.pages
        exact = self.rules.level == EXACT and bool(type_is_available(mappings_of(pages.paging), manager.WRITE_BACK))
        cache = manager.WRITE_BACK if exact else pages.some_type
        for place in range(block.mapped):
            virtual = self.address_of(block.page + place)
            frame = block.frames.get(place, self.frames.unnamed)
            leaf = Leaf(frame << self.geometry.page_shift, cache)
            is_spread = place > 0 and self.frames.doubts.unnamed >= 0  # fewer are about single pages
            settled = pages.is_settled(0, virtual, mapped=False, is_spread=is_spread)
            if found is None and not self.rules.safe and virtual in pages.made[0] and not settled:
                found = pages.not_mappable(0, virtual, leaf)
            pages.show(0, virtual, leaf, block.line)
            pages.kernel_pages[virtual] = KernelPage(block, place, allowed_is_known=exact)
        return found

    def allocate_failed(self, event: events.KernelPagesAllocate, pages: int, named: list[int] | None) -> Finding | None:
        space: AddressSpace = self.ranges.known[0]
        if self.is_lacking(pages, self.frames.free_frames) or self.rules.lacking_passes:
            return None
        self.pages.spread(0, WHOLE)
        self.frames.miss(pages)
        if self.is_lacking(pages, self.frames.surely_free):
            return None
        if self.is_obstructed() or (named is not None and not self.are_free(pages, named)):
            return None
        legal, state = self.ranges.room_in_words(space, pages)
        space.has_lost_room(pages)
        self.pages.doubts.suspect(self.lies_in_free_blocks())
        self.frames.doubts.seem_fewer_than(pages)
        says = "kernel pages are allocated if a block of the kernel's range and as many frames are free"
        return wrongly_failed(ALLOCATE, event.error, legal, says, state)

    def is_lacking(self, pages: int, free_frames: int) -> bool:
        """Whether a block or a frame may be lacking for so many kernel pages, where so many frames are free."""
        has_room = self.ranges.has_room(self.ranges.known[0], pages)
        return not has_room or not law.frames_suffice(replace(self.state(), free_frames=free_frames), pages)

    def is_obstructed(self) -> bool:
        """Whether something is mapped in the kernel's range where nothing is allocated: pages may not fit there."""
        lies_there = self.lies_in_free_blocks()
        return any(map(lies_there, self.pages.made[0])) or any(map(lies_there, self.pages.doubts.may_be_mapped()))

    def lies_in_free_blocks(self) -> Callable[[int], bool]:
        """Tells of an address whether it lies in a block of the kernel's range that is free."""
        blocks = [*self.ranges.known[0].free_stretches()]
        return lambda virtual: any(first <= self.page_of(virtual) < last for first, last in blocks)

    def are_free(self, pages: int, named: list[int]) -> bool:
        """Whether these are different free frames, one for each page."""
        frames = {self.geometry.frame_at(address) for address in named}
        free = all(frame is not None and self.frames.bitmap.is_free(frame) for frame in frames)
        return free and len(frames) == len(named) and bool(law.each_page_has_its_frame(self.state(), pages, len(named)))

    # kernel_pages.free

    def free(self, event: events.KernelPagesFree, line: int) -> Finding | None:
        address, pages = number(event.address), number(event.pages)
        page = self.page_at(address)
        self.prefer(page, pages)
        clause = self.violated_by_free(page, pages)
        block = self.live.get(page)
        if event.error is not UNSET:
            if self.rules.safe or (block is not None and self.is_damaged(block)):
                return None
            says = "kernel pages that were allocated can be freed"
            return wrongly_failed(FREE, event.error, "success", says, self.around(address))
        if clause is None and block is not None:
            self.undo(block, line)
            return None
        self.pages.spread(0, self.address_of(page))
        if (page, pages) in self.doubted and self.may_be_allocated(page, pages):
            self.settle(page, pages)
            return None
        return self.freed_wrongly(broken(clause), address, pages, line)

    def prefer(self, page: int, pages: int) -> None:
        """Where several kernel pages have the same first page, those with as many pages are meant."""
        others = self.others.get(page, ())
        place = next((place for place, each in enumerate(others) if each.pages == pages), None)
        if place is not None and self.live[page].pages != pages:
            self.live[page], self.others[page][place] = self.others[page][place], self.live[page]

    def freed_wrongly(self, clause: Clause, address: int, pages: int, line: int) -> Finding:
        """Kernel pages that were freed in part are gone all the same."""
        before, block = self.around(address), self.live.get(self.page_of(address))
        if clause is law.frees_them_whole and block is not None:
            self.undo_in_doubt(block, line)
        else:
            block = None
        words = f"no kernel pages start at {address:#x}"
        if block is not None:
            allocated = f"{was(block.pages)} allocated at {address:#x}{since(block.line)}"
            words = f"{counted(block.pages, 'page')}, not {pages:,}, {allocated}"
        return Finding(clause.name, clause.says, words, REFUSAL, before, self.around(address))

    def violated_by_free(self, page: int, pages: int) -> Clause | None:
        """The first clause that refuses to free these; None if it is accepted."""
        state = self.state()
        if not law.begins_kernel_pages(state, page):
            return law.begins_kernel_pages
        return None if law.frees_them_whole(state, page, pages) else law.frees_them_whole

    def around(self, address: int) -> dict[str, Any]:
        """The state around an address."""
        return self.ranges.around(0, address) | self.frames.totals()


def was(pages: int) -> str:
    return agreeing(pages, "was", "were")
