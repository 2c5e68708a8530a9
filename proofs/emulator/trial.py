"""Holds the reference's page tables against an emulated processor: what was asked of them, and whether it agrees.

A trial notes what the reference accepted: which page is mapped to what, in which address space. It judges the reference
by what the processor then reaches, and holds what `translate` and `attributes` say against the same.
"""

from __future__ import annotations

from collections import Counter

from memoracle.impl.bitmap import Bitmap
from memoracle.impl.kernel_half import KernelHalf
from memoracle.impl.paging import Attributes, Leaf, Paging, Unmapped
from memoracle.proofs.emulator.events import LAYOUT, REACH, UPPER, Call, Probe, Site, Wrong, hexadecimal
from memoracle.proofs.emulator.processor import FETCH, LOAD, PAGE_FAULT, PROTECTION, STORE, WINDOW, Access, Processor

MOST_TABLES = 3  # that one mapping takes


def give_back(bitmap: Bitmap, answer: Unmapped | list[int] | None) -> None:
    """Frees the frames of which unmap or exit say that nothing maps them any more, as a kernel does."""
    if isinstance(answer, Unmapped):
        answer = [answer.frame] if answer.last else []
    for frame in answer or []:
        bitmap.free(frame)


class Trial:
    """A reference of its own, at the beginning.

    frames: of the site's pool, those that are free.  index: the entry of each PML4 that is the processor's own.
    """

    def __init__(self, site: Site, processor: Processor, frames: tuple[int, ...], index: int) -> None:
        self.site = site
        self.processor = processor
        self.frames = frames
        self.index = index
        reach = REACH[site.level]
        self.bitmap = Bitmap(reach, [(0, 1)])
        for frame in frames:
            self.bitmap.add(frame, frame + 1)
        self.paging = Paging(self.bitmap, KernelHalf(), LAYOUT, site.level, reach)
        self.kernel: dict[int, Leaf] = {}  # what is mapped in the upper half, by the page's address
        self.lower: dict[int, dict[int, Leaf]] = {0: {}}  # and in the lower half of each process
        self.processes: set[int] = set()  # all but 0 that were ever to be created
        self.pages: set[int] = set()  # all that were ever to be mapped in process 0 or in the upper half
        self.data: set[int] = set()  # the frames of the pool that pages were mapped to
        self.happened: Counter[str] = Counter()
        self.lines: list[str] = []  # what was called, as it is written in a test
        processor.reset()

    # Calls

    def call(self, call: Call) -> Wrong | None:
        """Calls the reference, and writes its tables to the emulated memory; returns what is wrong with the answer."""
        perform = {"create": self._create, "exit": self._exit, "map": self._map, "unmap": self._unmap}[call.name]
        try:
            wrong = perform(call)
            self.processor.lay(self.paging, self.index)
        except Exception as error:
            return Wrong(f"{type(error).__name__}: {error}", [str(call)])
        return wrong

    def possible(self, call: Call) -> bool:
        """Whether a kernel would make this call: none maps a page to a frame that holds a table."""
        frame = call.leaf.physical >> self.site.page_shift if call.leaf else None
        return frame not in self.frames or frame in self.data or self.bitmap.is_free(frame)

    def _create(self, call: Call) -> Wrong | None:
        due = call.process not in self.lower and self.bitmap.count() > 0
        self.processes.add(call.process)
        created = self.paging.create(call.process)
        if created is not due:
            return Wrong(f"{call} is {created}", [f"assert {call} is {due}"])
        self._note("created" if created else "not created", str(call))
        if created:
            self.lower[call.process] = {}
        return None

    def _exit(self, call: Call) -> Wrong | None:
        due = call.process != 0 and call.process in self.lower
        released = self.paging.exit(call.process)
        if (released is not None) is not due:
            return Wrong(f"{call} is {released}", [f"assert ({call} is not None) is {due}"])
        self._note("not exited" if released is None else "exited", f"give_back(bitmap, {call})")
        if released is not None:
            del self.lower[call.process]
        return self._release(released or [])

    def _map(self, call: Call) -> Wrong | None:
        assert call.leaf is not None
        frame, free = call.leaf.physical >> self.site.page_shift, self.bitmap.count()
        taken = frame in self.frames and self.bitmap.take(frame)
        lines = (
            [f"bitmap.take({frame:#x})", f"if not {call}:", f"    bitmap.free({frame:#x})"] if taken else [str(call)]
        )
        if call.process == 0 or call.virtual >= UPPER:
            self.pages.add(call.virtual)
        accepted = self.paging.map(call.process, call.virtual, call.leaf)
        space = self._space(call.process, call.virtual)
        known = space is None or call.virtual in space
        if not accepted and call.sound and not known and free > MOST_TABLES:
            return Wrong(f"{call} is refused while {free} frames are free", [f"assert {call}"])
        self._note("mapped" if accepted else "out of frames" if call.sound and not known else "not mapped", *lines)
        if taken and accepted:
            self.data.add(frame)
        elif taken:
            self.bitmap.free(frame)
        if accepted and space is not None and not known:
            space[call.virtual] = call.leaf
        return None

    def _unmap(self, call: Call) -> Wrong | None:
        unmapped = self.paging.unmap(call.process, call.virtual)
        space = self._space(call.process, call.virtual)
        leaf = space.pop(call.virtual, None) if space is not None else None
        due = leaf.physical >> self.site.page_shift if leaf else None
        if (unmapped.frame if unmapped else None) != due:
            claim = f"assert {call} is None" if due is None else f"assert {call}[0] == {due:#x}"
            return Wrong(f"{call} is {unmapped}", [claim])
        self._note("unmapped" if unmapped else "not unmapped", f"give_back(bitmap, {call})")
        return self._release([unmapped.frame] if unmapped is not None and unmapped.last else [])

    def _release(self, frames: list[int]) -> Wrong | None:
        """Frees, as a kernel does, the frames of which the reference says that nothing maps them any more."""
        for frame in frames:
            if frame in self.data:
                self.data.remove(frame)
                self.bitmap.free(frame)
            elif frame in self.frames:
                return Wrong(f"frame {frame:#x} is released twice", [f"assert bitmap.free({frame:#x})"])
            elif frame >= self.paging.counted:
                return Wrong(f"frame {frame:#x} is not counted, and released", [f"assert {frame:#x} < paging.counted"])
        return None

    def _note(self, what: str, *lines: str) -> None:
        self.happened[what] += 1
        self.lines += lines

    def end(self) -> Wrong | None:
        """Unmaps everything; all frames must be free again."""
        calls = [Call("exit", process) for process in sorted(self.processes)]
        calls += [Call("unmap", 0, page) for page in sorted(self.pages)]
        for each in calls:
            wrong = self.call(each)
            if wrong is not None:
                return wrong
        if self.bitmap.count() == len(self.frames):
            return None
        claim = f"assert bitmap.count() == {len(self.frames)}"
        return Wrong(f"nothing is mapped any more, and {self.bitmap.count()} frames are free", [claim])

    # Accesses

    def enter(self, process: int, user: bool) -> None:
        self.processor.enter(self.paging.roots[process], user)

    def probe(self, probe: Probe) -> Wrong | None:
        """Compares what the processor does at an address with what was asked; it is in that process and ring."""
        virtual, access = probe.virtual, probe.access
        wanted = self._due(virtual, access, self.leaf_at(probe.process, virtual))
        if access.kind == STORE and isinstance(wanted, int):
            seen = self.processor.store(virtual, wanted)
        else:
            seen = self.processor.does(access.kind, virtual)
        self.happened[access.kind] += 1
        self.happened[f"{access}: {'fault' if isinstance(seen, str) else 'done'}"] += 1
        if seen == wanted:
            return None
        windows = [place // WINDOW * WINDOW for place in (seen, wanted) if isinstance(place, int)]
        arguments = f"{probe.process}, {access!r}, {virtual:#x}, [{', '.join(map(hex, windows))}]"
        reason = f"{access} at {virtual:#x}: the processor reaches {hexadecimal(seen)}, and not {hexadecimal(wanted)}"
        return Wrong(reason, [f"assert look(paging, {arguments}) == {hexadecimal(wanted)}"])

    def answers(self, process: int, virtual: int) -> Wrong | None:
        """Compares what the reference answers about an address with what was asked."""
        leaf = self.leaf_at(process, virtual)
        place = leaf.physical + virtual % (1 << self.site.page_shift) if leaf else None
        due = leaf and Attributes(leaf.cache, leaf.writable, virtual < UPPER, leaf.executable, leaf.global_)
        try:
            found = self.paging.translate(process, virtual)
            attributes = self.paging.attributes(process, virtual)
        except Exception as error:
            where = f"({process}, {virtual:#x})"
            return Wrong(f"{type(error).__name__}: {error}", [f"paging.translate{where}", f"paging.attributes{where}"])
        if found != place:
            asked, said = f"paging.translate({process}, {virtual:#x})", hexadecimal(found)
            return Wrong(f"{asked} is {said}", [f"assert {asked} == {hexadecimal(place)}"])
        if attributes != due:
            asked = f"paging.attributes({process}, {virtual:#x})"
            return Wrong(f"{asked} is {attributes}", [f"assert {asked} == {due}"])
        return None

    def walked(self, probe: Probe) -> Wrong | None:
        """What the processor wrote while it walked is given to the reference; says what it shouldn't have written."""
        changed = self.processor.walked(self.paging)
        if changed is None:
            return None
        return Wrong(changed, [f"look(paging, {probe.process}, {probe.access!r}, {probe.virtual:#x}, [])"])

    def leaf_at(self, process: int, virtual: int) -> Leaf | None:
        """What the page of this address is mapped to."""
        space = self._space(process, virtual)
        return None if space is None else space.get(virtual >> self.site.page_shift << self.site.page_shift)

    def _due(self, virtual: int, access: Access, leaf: Leaf | None) -> int | str:
        if 1 << 47 <= virtual < UPPER:
            return PROTECTION
        if leaf is None or (access.user and virtual >= UPPER):
            return PAGE_FAULT
        if not {LOAD: True, STORE: leaf.writable, FETCH: leaf.executable}[access.kind]:
            return PAGE_FAULT
        return leaf.physical + virtual % (1 << self.site.page_shift)

    def _space(self, process: int, virtual: int) -> dict[int, Leaf] | None:
        return self.kernel if virtual >= UPPER and process in self.lower else self.lower.get(process)
