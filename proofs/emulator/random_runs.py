"""Random operations on page tables; after every few, an emulated processor checks whether it agrees."""

from __future__ import annotations

import random
from collections.abc import Iterator

from memoracle.impl.paging import Leaf
from memoracle.proofs.emulator.events import UPPER, Call, Event, Probe, Site, Wrong
from memoracle.proofs.emulator.processor import (
    FETCH,
    LOAD,
    PHYSICAL_ADDRESS_BITS,
    PROBED,
    SLOT,
    STORE,
    WINDOW,
    Access,
    Processor,
)
from memoracle.proofs.emulator.shrink import Failed
from memoracle.proofs.emulator.trial import Trial

LENGTH = 300  # calls of one run
BATCH = 6  # calls between two checks
LOOKS = 15  # addresses in each process at each check
PROCESSES = range(1, 6)
TYPES = (0, 1, 4, 5, 6)  # the memory types that the PAT has
KERNEL_LOAD = Access(LOAD, False)
OTHERS = [Access(kind, user) for user in (False, True) for kind in (LOAD, STORE, FETCH)][1:]


class Life:
    """A random run of one reference: its calls, and the addresses that are checked between them."""

    def __init__(self, draw: random.Random, site: Site, processor: Processor) -> None:
        self.draw = draw
        self.site = site
        self.index = draw.randrange(512)
        frames = tuple(sorted(draw.sample(site.pool, draw.choice((10, 30, len(site.pool))))))
        self.trial = Trial(site, processor, frames, self.index)
        self.events: list[Event] = []
        self.gone: list[tuple[int, int]] = []  # pages that were unmapped since the last look, with the process
        tops = [[0, 255, draw.randrange(256)], [256, 511, draw.randrange(256, 512)]]
        self.tops = [[each for each in half if each != self.index] for half in tops]
        few = {level: [0, 511, draw.randrange(512)] for level in (3, 2, 1)}
        self.indices = {level: draw.sample(few[level], draw.randint(1, 3)) for level in few}

    def run(self) -> Failed | None:
        """Makes the calls, with checks between them; None if all agree."""
        for turn in range(LENGTH):
            call = self._call()
            self.events.append(call)
            wrong = self.trial.call(call)
            if wrong is None and turn % BATCH == BATCH - 1:
                wrong = self._look()
            if wrong is not None:
                return self._failed(wrong)
        wrong = self.trial.end()
        return None if wrong is None else self._failed(wrong)

    def _failed(self, wrong: Wrong) -> Failed:
        return Failed(self.site, self.trial.frames, self.index, self.events, wrong)

    # Calls

    def _call(self) -> Call:
        draw, trial = self.draw, self.trial
        process = draw.choice(list(trial.lower)) if draw.random() < 0.97 else draw.choice(PROCESSES)
        kind = draw.random()
        if kind < 0.08:
            return Call("create", draw.choice(PROCESSES))
        if kind < 0.12:
            return Call("exit", draw.choice(PROCESSES) if draw.random() < 0.9 else 0)
        if kind < 0.38:
            pages = [*trial.lower.get(process, ()), *trial.kernel]
            page = draw.choice(pages) if pages and draw.random() < 0.9 else self._page()
            self.gone.append((process, page))
            call = Call("unmap", process, page)
            return call if draw.random() < 0.95 else self._astray(call)
        call = Call("map", process, self._page(), self._leaf())
        return call if kind < 0.95 else self._spoilt(call)

    def _leaf(self) -> Leaf:
        draw, trial = self.draw, self.trial
        free = [frame for frame in trial.frames if trial.bitmap.is_free(frame)]
        mapped = list(trial.data)
        frame = draw.choice(draw.choice([each for each in (free, free, mapped, self.site.devices) if each]))
        physical = frame << self.site.page_shift
        return Leaf(physical, draw.choice(TYPES), *(draw.random() < 0.6 for _ in range(3)))

    def _spoilt(self, call: Call) -> Call:
        """A mapping that must be refused."""
        assert call.leaf is not None
        draw, leaf = self.draw, call.leaf
        if draw.random() < 0.5:
            return self._astray(call)
        unaligned = leaf._replace(physical=leaf.physical | 1 << draw.randrange(self.site.page_shift))
        beyond = leaf._replace(physical=leaf.physical + (1 << PHYSICAL_ADDRESS_BITS))
        untyped = leaf._replace(cache=draw.choice((2, 3, 7, 8, 255)))
        return call._replace(leaf=draw.choice((unaligned, beyond, untyped)), sound=False)

    def _astray(self, call: Call) -> Call:
        """The same mapping at an address that is not that of a page, or not canonical."""
        unaligned = call.virtual | 1 << self.draw.randrange(self.site.page_shift)
        beyond = call.virtual ^ 1 << self.draw.randrange(47, 64)
        return call._replace(virtual=self.draw.choice((unaligned, beyond, call.virtual + (1 << 64))), sound=False)

    def _page(self) -> int:
        """Mostly one of few pages, so that pages share tables; sometimes any page."""
        draw = self.draw
        while True:
            top = draw.choice(draw.choice(self.tops)) if draw.random() < 0.95 else draw.randrange(512)
            if top != self.index:
                break
        virtual = top << 39
        for level in range(3, self.site.level - 1, -1):
            index = draw.choice(self.indices[level]) if draw.random() < 0.95 else draw.randrange(512)
            virtual |= index << 3 + 9 * level
        return extended(virtual)

    # Looks

    def _look(self) -> Wrong | None:
        """Checks what the processor sees at some addresses in each process."""
        trial = self.trial
        for process in PROCESSES:
            if process not in trial.lower:
                virtual = self._page() + PROBED
                self.events.append(Probe(process, virtual, KERNEL_LOAD))
                wrong = trial.answers(process, virtual)
                if wrong is not None:
                    return wrong
        for process in list(trial.lower):
            addresses = list(self._addresses(process))
            for virtual in addresses:
                wrong = trial.answers(process, virtual)
                if wrong is not None:
                    self.events.append(Probe(process, virtual, KERNEL_LOAD))
                    return wrong
            others = [(virtual, self.draw.choice(OTHERS)) for virtual in addresses]
            for user in (False, True):
                accesses = [] if user else [(virtual, KERNEL_LOAD) for virtual in addresses]
                accesses += [(virtual, access) for virtual, access in others if access.user == user]
                trial.enter(process, user)
                for virtual, access in accesses:
                    probe = Probe(process, virtual, access)
                    self.events.append(probe)
                    wrong = trial.probe(probe)
                    if wrong is not None:
                        return wrong
            wrong = trial.walked(probe)
            if wrong is not None:
                return wrong
        self.gone.clear()
        return None

    def _addresses(self, process: int) -> Iterator[int]:
        """Addresses that are mapped, that were, that are near such, in the kernel half, and that are not canonical."""
        draw, trial, shift = self.draw, self.trial, self.site.page_shift
        mapped = [*trial.lower[process], *trial.kernel]
        near = draw.sample(mapped, min(len(mapped), LOOKS * 2 // 3))
        pages = near + [page for gone, page in self.gone if gone == process or page >= UPPER]
        for page in near[:3]:
            pages.append(extended(page ^ 1 << draw.randrange(shift, 48)))
        pages += [page + (1 << shift) & (1 << 64) - 1 for page in near[:1]]
        pages += [page - (1 << shift) & (1 << 64) - 1 for page in near[1:2]]
        pages += [page ^ 1 << draw.randrange(47, 64) for page in near[2:3]]
        pages += [self._page() for _ in range(LOOKS - len(pages))]
        for page in pages:
            if page >> 39 & 511 != self.index and page % (1 << shift) == 0:
                yield page + draw.choice(self.site.offsets) + draw.randrange(0, WINDOW, SLOT) + PROBED


def extended(virtual: int) -> int:
    """The canonical address that has these low 48 bits."""
    low = virtual & (1 << 48) - 1
    return low | UPPER if low >> 47 else low
