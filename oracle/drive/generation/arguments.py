"""Arguments for any operation: what was used lately, edges, and what lies beside either."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any, get_args

from memoracle.drive.generation.recent import NOTHING, Recent
from memoracle.drive.generation.sizes import count, near
from memoracle.impl.pte import PRESENT
from memoracle.spec.geometry import Geometry
from memoracle.trace.memory_types import CacheName

FLAGS = ("writable", "executable", "global", "user", "leaf", "present", "low_half", "release")
CACHES: tuple[str, ...] = get_args(CacheName)
ADDRESSES = ("address", "virtual", "physical", "start", "from", "below")
LIKE_A_RECENT_ONE, ONCE_MORE = 0.8, 0.3  # of all calls
THE_SAME = 0.3  # of those that are like a recent one
TAKEN_AT_START, OF_KERNEL_PAGES, BETWEEN_HALVES = 0.1, 0.2, 0.05
WITH_KERNEL_PAGES = "range", "page"  # what kernel pages take, too: a call about these may be one too many
BITS = 64
TOP_LEVEL = 512  # entries of a PML4
LOW_END, HIGH_START = 1 << 47, (1 << 64) - (1 << 47)  # no address in between is canonical (Intel SDM volume 1, 3.3.7.1)
WRITES, EXITS = "pml4.write", ("process.exit",)


def indexes(start: int, size: int) -> range:
    """The PML4 entries that cover these bytes (Intel SDM volume 3, section 4.5.4)."""
    first, last = (address >> 39 & TOP_LEVEL - 1 for address in (start, start + size - 1))
    return range(first, last + 1)


def taken_at_start(geometry: Geometry) -> dict[str, list[dict[str, Any]]]:
    """By kind, the blocks that are taken before anything is asked, and never given back."""
    size, start = geometry.page_size, geometry.kernel_range.start
    frames = [
        {"address": first * size, "count": last - first, "order": (last - first).bit_length() - 1}
        for first, last in geometry.never_free_frames
    ]
    ranges = [
        {"process": 0, "address": start + each.page * size, "pages": each.pages} for each in geometry.kernel_reserved
    ]
    return {"frame": frames, "range": ranges}


class Arguments:
    """Makes up arguments. processes: that are live, as far as is known."""

    def __init__(self, geometry: Geometry, random: Random, recent: Recent, processes: list[int]) -> None:
        self.geometry, self.random, self.recent, self.processes = geometry, random, recent, processes
        ranges = geometry.kernel_range, geometry.process_range
        # Entries that the implementation writes by itself are nobody else's to write.
        self.own = {index for each in ranges for index in indexes(each.start, each.pages * geometry.page_size)}
        if len(self.own) >= TOP_LEVEL // 2:  # all of the lower half is a process's range
            self.own = set(indexes(geometry.kernel_range.start, geometry.kernel_range.pages * geometry.page_size))
        self.fixed = taken_at_start(geometry)
        self.made: dict[str, Callable[[str], Any]] = {
            "process": self._process,
            "address": self._address,
            "virtual": self._virtual,
            "physical": self._physical,
            "pages": self._size,
            "count": self._size,
            "order": lambda kind: self.random.randrange(max(1, self._reach(kind).bit_length()) + 2),
            "bytes": lambda kind: max(0, near(self.random, 1 << self.random.randrange(24))),
            "alignment": self._alignment,
            "from": self._limit,
            "below": self._limit,
            "start": self._limit,
            "length": lambda kind: self.random.randrange(4) * self.geometry.page_size,
            "index": self._index,
            "value": self._value,
            "level": lambda kind: self.random.randrange(6),
            "cache": lambda kind: self.random.choice(CACHES),
            "zone": lambda kind: self.random.choice(self.geometry.zones).name,
            **dict.fromkeys(FLAGS, lambda kind: self.random.random() < 0.5),
        }

    def call(self, operation: str, keys: Iterable[str]) -> dict[str, Any]:
        """The arguments of one call. keys: their names."""
        if self.random.random() < ONCE_MORE and (again := self.recent.given_back_by(self.random, operation, EXITS)):
            return dict(again)
        kind = operation.partition(".")[0]
        lately = self._lately(kind) if self.random.random() < LIKE_A_RECENT_ONE else NOTHING
        is_the_same = self.random.random() < THE_SAME
        made = {
            key: lately[key] if is_the_same and key in lately else self._like(lately, key, kind)
            for key in sorted(keys)
            if key in self.made
        }
        if operation == WRITES:
            while made["index"] in self.own:
                made["index"] = self._index(kind)
        return made

    def _lately(self, kind: str) -> Mapping[str, Any]:
        """What an object of this kind is called by: one that was asked about lately, or that nobody may give back."""
        random, chance = self.random, self.random.random()
        if chance < TAKEN_AT_START and (fixed := self.fixed.get(kind)):
            return random.choice(fixed)
        if chance < OF_KERNEL_PAGES and kind in WITH_KERNEL_PAGES:
            pages = self.recent.one(random, "kernel_pages")
            if "address" in pages:
                return {"process": 0, "virtual": pages["address"], **pages}
        return self.recent.one(random, kind)

    def _like(self, lately: Mapping[str, Any], key: str, kind: str) -> Any:
        """An argument: that of a recent call most often, or one beside it."""
        value, chance = lately.get(key), self.random.random()
        if value is None or chance < (0.5 if key == "process" else 0.15):
            return self.made[key](kind)
        if type(value) is int and chance < 0.3:
            return self._beside(value) if key in ADDRESSES else max(0, near(self.random, value))
        return value

    def _process(self, kind: str) -> int:
        random = self.random
        if random.random() < 0.9:
            return random.choice(self.processes)
        lately: int | None = self.recent.one(random, "process").get("process")
        return lately if lately is not None and random.random() < 0.5 else max(self.processes) + 1

    def _beside(self, address: int) -> int:
        """This address most often, else one beside it."""
        page: int = self.geometry.page_size
        beside = (0, 0, 0, 0, 1, page, -page)
        return max(0, address + self.random.choice(beside))

    def _address(self, kind: str) -> int:
        return self._beside(self._edge(kind))

    def _virtual(self, kind: str) -> int:
        if self.random.random() < BETWEEN_HALVES:
            return self.random.choice((LOW_END, HIGH_START - self.geometry.page_size))
        return self._beside(self._edge("range"))

    def _physical(self, kind: str) -> int:
        random, geometry = self.random, self.geometry
        lately: int | None = self.recent.one(random, "frame").get("address")
        if lately is not None and random.random() < 0.7:
            return lately
        edge = random.randrange(geometry.frames) * geometry.page_size
        return self._beside(edge if random.random() < 0.95 else 1 << geometry.physical_address_bits)

    def _edge(self, kind: str) -> int:
        """The first or the last page of where such objects lie, one anywhere in between, or one past the end."""
        random, geometry = self.random, self.geometry
        if kind == "frame":
            start, pages = 0, geometry.frames
        else:
            whole = random.choice((geometry.kernel_range, geometry.process_range))
            start, pages = whole.start, whole.pages
        return int(start + random.choice((0, pages - 1, random.randrange(pages), pages)) * geometry.page_size)

    def _reach(self, kind: str) -> int:
        """How many frames or pages there are."""
        geometry = self.geometry
        if kind == "range":
            return int(min(geometry.kernel_range.pages, geometry.process_range.pages))
        return int(geometry.frames if kind == "frame" else geometry.kernel_range.pages)

    def _size(self, kind: str) -> int:
        return count(self.random, self._reach(kind)) if self.random.random() < 0.9 else 0

    def _alignment(self, kind: str) -> int:
        page = self.geometry.page_size
        return self.random.choice((page, page << self.random.randrange(8), 1, 8, 64, 3 * page, 0))

    def _limit(self, kind: str) -> int:
        edges = (0, self.geometry.frames // 2, self.geometry.frames)
        return max(0, near(self.random, self.random.choice(edges))) * self.geometry.page_size

    def _index(self, kind: str) -> int:
        random, most = self.random, 8 if kind == "pat" else TOP_LEVEL
        if random.random() < 0.5:
            return random.randrange(most)
        return max(0, near(random, random.choice((0, most // 2 - 1, most // 2, most - 1))))

    def _value(self, kind: str) -> int:
        """An entry of a table, often one that is not there; now and then any bits."""
        random, geometry = self.random, self.geometry
        chance = random.random()
        if chance < 0.2:
            return 0
        if chance < 0.4:
            return random.getrandbits(BITS)
        frame = random.randrange(geometry.frames) * geometry.page_size
        return frame | random.getrandbits(9) & ~PRESENT | (random.random() < 0.8) * PRESENT
