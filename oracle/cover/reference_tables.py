"""The reference's ranges of the kernel, its processes and their PML4 entries, and its entries, as targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memoracle.cover import entries, ranges, tables
from memoracle.cover.reference_frames import REFUSED, free_blocks, is_inside
from memoracle.drive.target import Answer
from memoracle.impl import pat, pte
from memoracle.impl.buddy import Buddy, order_for
from memoracle.impl.kernel_half import KernelHalf
from memoracle.spec import pat as pat_law
from memoracle.spec import pte as pte_law
from memoracle.spec.geometry import Geometry
from memoracle.trace.memory_types import NAMES, NUMBERS


class KernelRange:
    """The kernel's range as a buddy system."""

    operations: Mapping[str, frozenset[str]] = {
        ranges.ALLOCATE: frozenset({"pages"}),
        ranges.RESERVE: frozenset({"address", "pages"}),
        ranges.FREE: frozenset({"address", "pages"}),
        ranges.SIZE: frozenset({"address"}),
        ranges.LIST: frozenset(),
    }

    def __init__(self, geometry: Geometry) -> None:
        """The range is an aligned power of two of pages."""
        self.area, self.size, self.shift = geometry.kernel_range, geometry.page_size, geometry.page_shift
        depth = (self.area.pages - 1).bit_length()
        most = geometry.range_max_order
        self.buddy = Buddy(depth, depth if most is None else min(most, depth))
        for piece in geometry.kernel_reserved:
            self.buddy.fix(piece.page, piece.pages)

    def call(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        buddy = self.buddy
        if operation == ranges.LIST:
            return Answer([[self._address(page), pages, bool(taken)] for page, pages, taken in buddy.blocks()])
        if operation == ranges.ALLOCATE:
            page = buddy.allocate(arguments["pages"])
            return REFUSED if page is None else Answer(self._address(page))
        address = arguments["address"]
        page = self._page(address)
        if operation == ranges.SIZE:
            return Answer(0 if is_inside(address, self.shift) else buddy.size(page))
        if is_inside(address, self.shift):
            return REFUSED
        if operation == ranges.RESERVE:
            done = order_for(arguments["pages"]) is not None and buddy.reserve(page, arguments["pages"])
        else:
            done = buddy.free(page, arguments["pages"])
        return Answer() if done else REFUSED

    def choices(self, operation: str, arguments: Mapping[str, Any]) -> list[int] | None:
        if operation != ranges.ALLOCATE:
            return None
        order = order_for(arguments["pages"])
        found = [] if order is None else free_blocks(self.buddy, 1 << order)
        return [self._address(page) for page in found]

    def take(self, operation: str, arguments: Mapping[str, Any], result: int) -> bool:
        order = order_for(arguments["pages"])
        return order is not None and self.buddy.reserve(self._page(result), 1 << order)

    def _address(self, page: int) -> int:
        return self.area.start + page * self.size

    def _page(self, address: int) -> int:
        return (address - self.area.start) // self.size


class TopLevelTables:
    """Processes and their PML4 entries. A process may have any number that none has; here it has the lowest."""

    operations: Mapping[str, frozenset[str]] = {
        tables.CREATE: frozenset(),
        tables.EXIT: frozenset({"process"}),
        tables.READ: frozenset({"process", "index"}),
        tables.WRITE: frozenset({"process", "index", "value"}),
    }

    def __init__(self) -> None:
        self.half = KernelHalf()

    def call(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        half = self.half
        if operation == tables.CREATE:
            number = next(number for number in range(1, len(half.live) + 1) if number not in half.live)
            half.create(number)
            return Answer(number)
        process = arguments["process"]
        if operation == tables.READ:
            value = half.read(process, arguments["index"])
            return REFUSED if value is None else Answer(value)
        if operation == tables.WRITE:
            return Answer() if half.write(process, arguments["index"], arguments["value"]) else REFUSED
        return Answer() if half.exit(process) else REFUSED

    def choices(self, operation: str, arguments: Mapping[str, Any]) -> list[int] | None:
        return None

    def take(self, operation: str, arguments: Mapping[str, Any], result: int) -> bool:
        return operation == tables.CREATE and self.half.create(result)


class Entries:
    """The page attribute table, and entries of page tables."""

    operations: Mapping[str, frozenset[str]] = {
        entries.REGISTER: frozenset(),
        entries.SELECT: frozenset({"cache", "low_half"}),
        entries.DECODE: frozenset({"index"}),
        entries.ENCODE: frozenset({"physical", "present", "writable", "user", "leaf", "cache", "level"}),
        entries.READ: frozenset({"value", "level"}),
    }

    def __init__(self, geometry: Geometry) -> None:
        self.layout = pte.Layout(geometry.physical_address_bits, geometry.pat_register)

    def call(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        layout = self.layout
        if operation == entries.REGISTER:
            return Answer(layout.pat_register)
        found: Any
        if operation == entries.SELECT:
            found = pat.select(layout.pat_register, NUMBERS[arguments["cache"]], arguments["low_half"])
        elif operation == entries.DECODE:
            kind = pat.decode(layout.pat_register, arguments["index"])
            found = None if kind is None else NAMES[kind]
        elif operation == entries.ENCODE:
            found = pte.encode(layout, self._fields(arguments), arguments["level"])
        else:
            fields = pte.decode(layout, arguments["value"], arguments["level"])
            found = None if fields is None else fields._asdict() | {"cache": NAMES[fields.cache]}
        return REFUSED if found is None else Answer(found)

    def _fields(self, arguments: Mapping[str, Any]) -> pte.Fields:
        asked = {key: value for key, value in arguments.items() if key != "level"}
        return pte.Fields(**asked | {"cache": NUMBERS[arguments["cache"]]})

    def choices(self, operation: str, arguments: Mapping[str, Any]) -> list[int] | None:
        """Of a type that more indexes have, each; and each entry that names one of them."""
        layout = self.layout
        if operation == entries.SELECT:
            allows, table = pat_law.select.allows, pat_law.Pat(layout.pat_register)
            kind, low_half = NUMBERS[arguments["cache"]], arguments["low_half"]
            return [i for i in pat_law.INDEXES if allows(table, kind=kind, low_half=low_half, index=i)]
        if operation != entries.ENCODE:
            return None
        state, fields, level = pte_law.Entries(*layout), self._fields(arguments), arguments["level"]
        least = pte.encode(layout, fields, level)
        if least is None:
            return []
        bits = [1 << pte_law.WRITE_THROUGH, 1 << pte_law.CACHE_DISABLE, pte.PAT[level] if fields.leaf else 0]
        tried = {least}
        for bit in bits:
            tried |= {value ^ bit for value in tried}
        asked = fields._asdict() | {"level": level}
        return sorted(value for value in tried if pte_law.encode.broken(state, **asked, value=value) is None)

    def take(self, operation: str, arguments: Mapping[str, Any], result: int) -> bool:
        return True
