"""The reference's whole manager, its heap, and what it makes of a memory map, as targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memoracle.cover import frames, heap, kernel_pages, pages, uses
from memoracle.cover.boots import BOOT
from memoracle.cover.reference_frames import REFUSED, is_inside, of_place
from memoracle.drive.target import Answer
from memoracle.impl.boot import Record, boot
from memoracle.impl.heap import Heap
from memoracle.impl.manager import Machine, Manager
from memoracle.impl.paging import Leaf
from memoracle.impl.pte import Layout
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import NATURAL
from memoracle.trace.memory_types import NAMES

WRITE_BACK = 6  # the memory type of a page that names none


def manager_of(geometry: Geometry) -> Manager:
    """All of its frames exist. Its ranges are powers of two of pages."""
    kernel, process = geometry.kernel_range, geometry.process_range
    return Manager(
        Machine(
            geometry.frames,
            tuple(geometry.never_free_frames),
            geometry.leaf_level,
            Layout(geometry.physical_address_bits, geometry.pat_register),
            kernel.start,
            (kernel.pages - 1).bit_length(),
            (process.pages - 1).bit_length(),
            tuple((piece.page, piece.pages) for piece in geometry.kernel_reserved),
        )
    )


class WholeManager:
    """Frames and their uses, processes, pages, and kernel pages. What has a choice gives what the reference gives."""

    operations: Mapping[str, frozenset[str]] = {
        frames.ALLOCATE: frozenset(),
        frames.FREE: frozenset({"address"}),
        frames.IS_FREE: frozenset({"address"}),
        uses.GET: frozenset({"address"}),
        uses.PUT: frozenset({"address", "release"}),
        pages.CREATE: frozenset(),
        pages.EXIT: frozenset({"process"}),
        pages.MAP: frozenset({"process", "virtual", "physical"}),
        pages.UNMAP: frozenset({"process", "virtual", "release"}),
        kernel_pages.ALLOCATE: frozenset({"pages"}),
        kernel_pages.FREE: frozenset({"address", "pages"}),
    }

    def __init__(self, geometry: Geometry) -> None:
        self.shift = geometry.page_shift
        self.manager = manager_of(geometry)

    def call(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        kind = operation.partition(".")[0]
        of_kind = {"frame": self._of_frame, "process": self._of_process, "page": self._of_page}
        return of_kind.get(kind, self._of_kernel_pages)(operation, arguments)

    def _of_frame(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        manager = self.manager
        if operation == frames.ALLOCATE:
            return of_place(manager.allocate_frame(), self.shift)
        address = arguments["address"]
        frame = address >> self.shift
        if operation == frames.IS_FREE:
            return Answer(manager.bitmap.is_free(frame)) if 0 <= frame < manager.bitmap.frames else REFUSED
        if is_inside(address, self.shift):
            return REFUSED
        if operation == uses.PUT:
            return done(manager.put_frame(frame, arguments.get("release", False)))
        return done(manager.get_frame(frame) if operation == uses.GET else manager.free_frame(frame))

    def _of_process(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        manager, live = self.manager, self.manager.halves.live
        if operation == pages.EXIT:
            return done(manager.exit(arguments["process"]))
        number = next(number for number in range(1, len(live) + 1) if number not in live)
        return Answer(number) if manager.create(number) else REFUSED

    def _of_page(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        manager, process, virtual = self.manager, arguments.get("process", 0), arguments["virtual"]
        if operation == pages.MAP:
            return done(manager.map(process, virtual, Leaf(arguments["physical"], WRITE_BACK)))
        if operation == pages.UNMAP:
            return done(manager.unmap(process, virtual, arguments.get("release", False)))
        if process not in manager.halves.live:
            return REFUSED
        if operation == pages.TRANSLATE:
            return Answer(manager.translate(process, virtual))
        found = manager.attributes(process, virtual)
        if found is None:
            return Answer()
        cache, writable, user, executable, is_global = found
        allowed = {"writable": writable, "user": user, "executable": executable, "global": is_global}
        return Answer({"cache": NAMES[cache], **allowed})

    def _of_kernel_pages(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        manager = self.manager
        if operation == kernel_pages.FREE:
            return done(manager.free_pages(arguments["address"], arguments["pages"]))
        address = manager.allocate_pages(arguments["pages"])
        return REFUSED if address is None else Answer(address)

    def choices(self, operation: str, arguments: Mapping[str, Any]) -> None:
        """Where it matters to later calls, there is none."""

    def take(self, operation: str, arguments: Mapping[str, Any], result: Any) -> bool:
        raise AssertionError("there is no choice")


class MappedPages(WholeManager):
    """Pages of processes, which show any frames."""

    operations = {
        operation: keys - {"release"}
        for operation, keys in WholeManager.operations.items()
        if operation in (pages.CREATE, pages.EXIT, pages.MAP, pages.UNMAP)
    } | {
        pages.TRANSLATE: frozenset({"process", "virtual"}),
        pages.ATTRIBUTES: frozenset({"process", "virtual"}),
    }


class ShownPages(WholeManager):
    """Kernel pages, which tell which frames they show."""

    operations = {kernel_pages.TRANSLATE: frozenset({"virtual"})} | {
        operation: keys
        for operation, keys in WholeManager.operations.items()
        if operation in (kernel_pages.ALLOCATE, kernel_pages.FREE)
    }


class HeapBlocks(WholeManager):
    """A heap, whose pages are kernel pages."""

    operations: Mapping[str, frozenset[str]] = {
        heap.NEW: frozenset({"bytes", "alignment"}),
        heap.DELETE: frozenset({"address"}),
    }

    def __init__(self, geometry: Geometry) -> None:
        super().__init__(geometry)
        alignment = None if geometry.heap_alignment == NATURAL else int(geometry.heap_alignment)
        self.heap = Heap(self.manager, geometry.heap_classes, geometry.page_size, alignment)

    def call(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        if operation == heap.DELETE:
            return done(arguments["address"] == 0 or self.heap.delete(arguments["address"]))
        size, alignment = arguments["bytes"], arguments.get("alignment", 1)
        resizes = operation == heap.RESIZE
        address = self.heap.resize(arguments["address"], size, alignment) if resizes else self.heap.new(size, alignment)
        return REFUSED if address is None else Answer(address)


class ResizedBlocks(HeapBlocks):
    """A heap whose blocks may become larger or smaller."""

    operations: Mapping[str, frozenset[str]] = {
        **HeapBlocks.operations,
        heap.RESIZE: frozenset({"address", "bytes", "alignment"}),
    }


class Booted:
    """What a memory map leaves free."""

    operations: Mapping[str, frozenset[str]] = {
        BOOT: frozenset({"memory_map"}),
        frames.IS_FREE: frozenset({"address"}),
        frames.FREE_COUNT: frozenset(),
    }

    def __init__(self, geometry: Geometry) -> None:
        self.geometry, self.shift = geometry, geometry.page_shift
        self.bitmap = self._booted([Record(0, geometry.frames << self.shift, 1)])

    def _booted(self, records: list[Record]) -> Any:
        return boot(records, self.shift, self.geometry.frames, self.geometry.never_free_frames)

    def call(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        if operation == BOOT:
            self.bitmap = self._booted([Record(**each) for each in arguments["memory_map"]])
            return Answer()
        if operation == frames.FREE_COUNT:
            return Answer(self.bitmap.count())
        frame = arguments["address"] >> self.shift
        return Answer(self.bitmap.is_free(frame)) if 0 <= frame < self.bitmap.frames else REFUSED

    def choices(self, operation: str, arguments: Mapping[str, Any]) -> None:
        """There is none."""

    def take(self, operation: str, arguments: Mapping[str, Any], result: Any) -> bool:
        raise AssertionError("there is no choice")


def done(truth: object) -> Answer:
    return Answer() if truth else REFUSED
