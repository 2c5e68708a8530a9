"""The small scopes at which the contracts of impl/ are held, by component."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations, product

from memoracle.impl.bitmap import Bitmap
from memoracle.impl.boot import TOP, Interval, Record
from memoracle.impl.buddy import Spaces
from memoracle.impl.kernel_half import KernelHalf
from memoracle.impl.manager import Machine, Manager
from memoracle.impl.paging import LOWER_END, Leaf
from memoracle.impl.pte import Fields, Layout
from memoracle.impl.runs import Runs
from memoracle.impl.slab import layout
from memoracle.impl.zones import Zone
from memoracle.proofs.contracts.scope import Scope, Step
from memoracle.proofs.exhaustive.heap import FewPages


def _points(last: int) -> list[Interval]:
    return [Interval(start, end) for start in range(last) for end in range(start, last + 1)]


def _disjoint(last: int) -> list[list[Interval]]:
    """Every list of at most two intervals, none empty, disjoint and in order, up to this end."""
    one = [interval for interval in _points(last) if interval.start < interval.end]
    two = [[a, b] for a, b in product(one, one) if a.end <= b.start]
    return [[], *([interval] for interval in one), *two]


def _runs(free: Sequence[int]) -> Runs:
    """Three places, of which these are free and the others in use."""
    runs = Runs(3)
    runs.add(0, 3)
    for place in set(range(3)) - {*free}:
        runs.reserve(place, 1)
    return runs


def _in_space(process: int, name: str, call: Sequence[int], spaces: Spaces) -> None:
    getattr(spaces.of(process), name)(*call)


_SPACE_STEPS: Sequence[Step] = [
    Step(f"of({process}).{name}{call}", partial(_in_space, process, name, call))
    for process in range(3)
    for name, call in (("allocate", (1,)), ("allocate", (2,)), ("free", (0, 1)), ("free", (1, 1)), ("free", (0, 2)))
]


def _get_once(manager: Manager) -> bool:
    """Makes a use of frame 1, unless there is one: so that there are few states."""
    return not manager.gets and manager.get_frame(1)


_GETS_ONCE: Sequence[Step] = [Step("get_frame(1)", partial(_get_once))]


def _memory_maps(points: int) -> list[list[Record]]:
    """Every list of at most two records over so many starts and lengths, two within a third, and two past the end."""
    spans = product(range(points), range(points))
    records = [Record(start, length, kind) for start, length in spans for kind in (1, 2)]
    past = [Record(TOP - 3, length, kind) for length in (2, 5) for kind in (1, 2)]
    some = [record for record in records if record.length]
    three = [[Record(0, 2 * points, 1), *pair] for pair in combinations(some, 2)]
    two = [list(pair) for pair in (*product(some, some), *product(past, past))]
    return [[], *([record] for record in records + past), *two, *three]


# Of IA32_PAT: at reset, as Linux has it, as the presets have it, and with one type alone.
_PATS = (0x0007040600070406, 0x0407050600070106, 0x0005040600010406, 0)
_ALLOWED = ((False, False, False), (True, True, False), (True, False, True))  # present, writable, user
_ADDRESSES = (0, 1 << 12, 1 << 21, 3 << 30, (1 << 32) - (1 << 12), 1 << 40, 1 << 52, -(1 << 12), 1)

_GIB = 1 << 30
_KERNEL = 0xFFFF_8000_0000_0000  # where the kernel's range starts
_SMALL_MACHINE = Machine(4, ((0, 1),), 3, Layout(40, 0x0007_0406_0007_0406), _KERNEL, 1, 0)


def _frames(count: int) -> Bitmap:
    """A bitmap of so many frames, all of them free but the first."""
    bitmap = Bitmap(count, [(0, 1)])
    bitmap.add(1, count)
    return bitmap


_NO_PROCESSES = (-1, 1 << 64)  # numbers that no process may have
_LAYOUT = Layout(40, 0x0005_0406_0001_0406)
_UPPER = 0xFFFF_8000_0000_0000

SCOPES: Mapping[str, Scope] = {
    "bitmap": Scope(
        "bitmaps of 66 frames in two words, those that are never free at their border, checked and trusting",
        {
            "Bitmap.__init__.frames": (1, 2, 63, 64, 65, 66, 128, 129),
            "never_free": ((), ((0, 1),), ((0, 2), (1, 63)), ((0, 64), (65, 66)), ((127, 128),), ((0, 129),)),
            "trusting": (False, True),
            "frame": (0, 62, 63, 64, 65),
            "first": (0, 62, 63, 64, 65, 66),
            "last": (0, 63, 64, 65, 66, 67),
            "Bitmap.add.last": (63, 64, 65, 66, 67, 0),  # 0 last: before it no frame exists, whatever comes first
            "words": [array("Q", words) for words in ([0] * 3, [1 << 63 | 1] * 3, [(1 << 64) - 1] * 3)],
            "set_bits.first": (0, 1, 62, 63, 64, 65, 127, 128, 129, 191),
            "set_bits.last": (1, 2, 63, 64, 65, 66, 127, 128, 129, 191, 192),
            "set_bits.to": (0, (1 << 64) - 1),
            "alignment": (1, 2, 64, 128),
            "Bitmap.allocate_within.alignment": (0, 2, 3, 64),
            "Bitmap.allocate_within.first": (0, 65),
            "Bitmap.allocate_within.last": (63, 66),
            "Bitmap.hotplug.first": (0, 62, 64, 66),
            "Bitmap.hotplug.last": (64, 65, 67),
            "Bitmap.reserve.first": (0, 62, 64, 66),
            "Bitmap.reserve.last": (64, 65, 67),
            "lowest_bit.first": (0, 1, 64, 65, 191),
            "lowest_bit.last": (0, 64, 65, 128, 192),
            "lowest_clear_bit.first": (0, 1, 64, 65, 191),
            "lowest_clear_bit.last": (0, 64, 65, 128, 192),
            "bit": (0, 1, 62, 63, 64, 191),
            "number": (0, 1, 63, 64, 65, 129),
            "is_power_of_two.number": (-8, -1, 0, 1, 2, 3, 6, 8, 1 << 64, (1 << 64) + 1),
        },
        {
            "Bitmap.__init__.frames": (66,),
            "never_free": (((0, 63),), ((0, 62), (63, 65))),
            "Bitmap.allocate_within.alignment": (1, 64),
            "Bitmap.allocate_within.first": (0, 63),
            "Bitmap.allocate_within.last": (64, 66),
            "Bitmap.hotplug.first": (62, 64),
            "Bitmap.hotplug.last": (64, 65),
            "Bitmap.reserve.first": (62, 64),
            "Bitmap.reserve.last": (64, 65),
        },
    ),
    "boot": Scope(
        "up to three records within 6 bytes, or two over the end of memory; pages of 1, 2 and 4 bytes",
        {
            "records": _memory_maps(3),
            "boot.records": _memory_maps(2),
            "record": [Record(*span, kind) for span in product(range(3), range(4)) for kind in (1, 2)],
            "extent.record": [Record(TOP - below, length, 1) for below in (1, 3, 9, TOP) for length in (0, 2, 3, 4)],
            "page_shift": (0, 1, 2),
            "boot.page_shift": (1,),
            "frames": (3,),
            "never_free": (((0, 1),), ((1, 3), (1, 2)), ()),
            "trusting": (False, True),
            "holes": _disjoint(4),
            "runs": _disjoint(4),
            "intervals": _disjoint(4),
            "left": _disjoint(2),
            "interval": _points(4),
            "cut": _points(4),
            "spoiler": _points(5),
        },
    ),
    "buddy": Scope(
        "ranges of 1, 2 and 4 pages, whole and with holes, of any largest order, only the block at page 0 fixed, "
        "arguments past either end; up to three spaces",
        {
            "depth": (0, 1, 2),
            "highest": (None, 0, 1),
            "whole": (True, False),
            "page": range(-1, 5),
            "pages": range(6),
            "order": range(-1, 4),
            "Buddy.add.page": (-1, 0, 1, 2, 4),
            "Buddy.add.pages": (0, 1, 3, 5),
            "order_for.pages": range(-2, 18),
            "kernel_depth": (0,),
            "process_depth": (1,),
            "Spaces.__init__.kernel_depth": range(3),
            "Spaces.__init__.process_depth": range(3),
            "process": range(-1, 4),
            "Spaces.create.process": (*_NO_PROCESSES, *range(4)),
        },
        {
            "process": (1, 2),
            "Buddy.fix.page": (0,),
            "Buddy.fix.pages": (1, 2),
            "Buddy.add.page": (0, 1, 2),
            "Buddy.add.pages": (1,),
            "Spaces.__init__.kernel_depth": (0,),
            "Spaces.__init__.process_depth": (1,),
        },
        {"Spaces": _SPACE_STEPS},
    ),
    "paging": Scope(
        "pages of 1 GiB, four frames, the kernel and a process, two pages of its own and one of the kernel's",
        {
            "frames": (_frames(4),),
            "halves": (KernelHalf(),),
            "layout": (_LAYOUT,),
            "leaf_level": (3,),
            "Paging.__init__.leaf_level": (1, 2, 3),
            "counted": (4,),
            "direct_start": (0,),
            "direct_end": (0,),
            "frame": (0, 1, 4, 9),
            "process": (0, 1, 2),
            "Paging.create.process": (*_NO_PROCESSES, 0, 1, 2),
            "virtual": (0, 1 << 30, 1 << 39, 1, 1 << 47, _UPPER, _UPPER + (1 << 30) + 7),
            "leaf": (Leaf(1 << 30, 6), Leaf(9 << 30, 4, False, False, True), Leaf(1, 6), Leaf(0, 2)),
            "level": (1, 2, 3, 4),
            "table": (0, 1 << 12, (1 << 52) - (1 << 12)),
            "link.virtual": (0, LOWER_END - 1, LOWER_END, _UPPER),
        },
        {"process": (1,), "virtual": (0, 1 << 39, _UPPER), "leaf": (Leaf(1 << 30, 6),)},
    ),
    "manager": Scope(
        "3 frames of 1 GiB beside one that is never free, a kernel range of 2 pages, a process with a range of 1",
        {
            "machine": (_SMALL_MACHINE, _SMALL_MACHINE._replace(reserved=((1, 1),))),
            "records": (None, [Record(0, 3 * _GIB, 1)]),
            "frame": (0, 1, 2, 4),
            "process": (0, 1, 2),
            "virtual": (0, _KERNEL + _GIB, _KERNEL + 1),
            "leaf": (Leaf(_GIB, 6), Leaf(9 * _GIB, 6)),
            "release": (False, True),
            "page": (0, 1),
            "pages": (0, 1, 2),
            "address": (_KERNEL, _KERNEL + _GIB, _KERNEL + 1, 0),
            "Manager.create.process": (*_NO_PROCESSES, 0, 1, 2),
            "Manager.map.process": (0, 1),
            "Manager.map.virtual": (0, _KERNEL + _GIB),
            "Manager.map.leaf": (Leaf(_GIB, 6),),
            "Manager.unmap.process": (1, 2),
            "Manager.unmap.virtual": (0, _KERNEL + _GIB),
            "Manager.translate.process": (1,),
            "Manager.attributes.process": (1,),
            "Manager.reserve_range.page": (1,),
            "Manager.reserve_range.pages": (1,),
            "Manager.allocate_range.pages": (0, 1),
            "Manager.free_range.process": (0, 1),
            "Manager.free_range.page": (0,),
            "Manager.free_range.pages": (1, 2),
        },
        {
            "machine": (_SMALL_MACHINE,),
            "records": (None,),
            "frame": (1,),
            "process": (1,),
            "virtual": (0, _KERNEL + _GIB),
            "leaf": (Leaf(_GIB, 6),),
            "release": (False,),
            "Manager.get_frame.frame": (),  # see _GETS_ONCE
            "Manager.reserve_range.page": (),
            "Manager.allocate_range.process": (),
            "pages": (1, 2),
            "address": (_KERNEL,),
        },
        {"Manager": _GETS_ONCE},
    ),
    "slab": Scope(
        "pages of 1 byte to 1 KiB with slots of 1 to 128 bytes, slabs of five, three and two objects",
        {
            "page_shift": range(11),
            "slot_shift": range(8),
            "Slab.__init__.layout": [each for each in (layout(6, 3), layout(8, 6), layout(6, 4)) if each],
            "offset": (0, 8, 16, 23, 24, 28, 32, 40, 48, 56, 63, 64, 128, 192, 255),
        },
    ),
    "heap": Scope(
        "up to three pages of 64 bytes, a class of 16 bytes and none, blocks of 0 to 3 pages, aligned to up to 2",
        {
            "Heap.__init__.pages": (FewPages(3),),
            "classes": ((16,), (), (8, 12, 40), (64, 4096)),
            "page_size": (64, 32),
            "Heap.__init__.alignment": (None, 1, 16, 64),
            "alignment": (1, 24, 128),
            "Heap.new.size": (-5, 0, 16, 17, 64, 65),
            "Heap.resize.size": (-5, 0, 16, 65),
            "Heap.resize.address": (0, 80, 128, 192),
            "Heap.slot_for.size": (-2, 0, 1, 15, 16, 17, 64, 65),
            "Heap.slot_for.alignment": (1, 16, 32, 128),
            "address": (-16, 0, 8, *range(64, 256, 16), 72, 100, 1 << 64),
            "notes_in.address": (64, 128),
            "page_shift": (5, 6, 7),
        },
        {
            "classes": ((16,), ()),
            "page_size": (64,),
            "Heap.__init__.alignment": (None,),
            "alignment": (1, 128),
            "size": (16,),
        },
    ),
    "arena": Scope(
        "arenas of up to four pages of 4 bytes, with and without a part of a page, one from address 0 on",
        {
            "start": (-4, 0, 5, 8),
            "end": (0, 8, 16, 23),
            "page_shift": (2,),
            "pages": range(-1, 5),
            "Arena.free_pages.pages": (0, 1, 2),
            "address": (-4, 4, 8, 10, 12),
        },
        {"start": (0, 5), "end": (8, 23), "pages": (1, 2), "Arena.free_pages.pages": (1, 2)},
    ),
    "run_index": Scope(
        "runs of one and two places among four, arguments past either end",
        {
            "places": (1, 2, 4),
            "place": range(-1, 5),
            "length": range(-1, 5),
            "least": range(-1, 4),
        },
        {"places": (4,), "place": (0, 1, 3), "length": (0, 1, 2)},
    ),
    "place_set": Scope(
        "every set of four places, arguments past either end",
        {
            "places": (1, 4),
            "first": range(-1, 5),
            "last": range(-1, 6),
            "place": range(-1, 6),
            "count": range(4),
            "alignment": (1, 2, 3),
            "lowest": (-1, 1),
            "below": (3, 5),
        },
        {"places": (4,)},
    ),
    "runs": Scope(
        "three places, each missing, never free, free or in use, arguments past either end",
        {
            "places": (1, 3),
            "first": range(-1, 4),
            "count": range(-1, 4),
            "place": range(-1, 4),
            "Runs.allocate.count": range(3),
            "Runs.count_within.lowest": (-1, 0, 2),
            "Runs.count_within.below": (1, 4),
            "alignment": (1, 2),
            "lowest": (0, 1),
            "below": (2, 3),
        },
        {"places": (3,)},
    ),
    "zones": Scope(
        "three places in four states, up to two zones, in either order, and places past either end",
        {
            "runs": [_runs(free) for free in ((), (0, 1, 2), (0, 2), (1, 2))],
            "zone": (Zone(-1, 2), Zone(1, 4), Zone(2, 2)),
            "named": ((), (Zone(0, 2),), (Zone(1, 3), Zone(0, 1)), (Zone(0, 1), Zone(1, 3))),
            "count": range(3),
            "alignment": (1, 2, 3),
            "lowest": (0, 1),
            "below": (2, 3),
        },
    ),
    "kernel_half": Scope(
        "two processes and a third that never lives, tables of 512 entries written at 255, 256 and 511",
        {
            "process": (0, 1, 2),
            "KernelHalf.create.process": (*_NO_PROCESSES, 0, 1, 2),
            "index": (-1, 255, 256, 511, 512),
            "value": (0, 1, 1 << 64),
        },
        {"process": (0, 1), "index": (255, 256, 511), "value": (1,)},
    ),
    "pat": Scope(
        "four values of the register, and others with one entry that is no type, or with more than 64 bits",
        {
            "register": (*_PATS, *(kind << 8 * i for kind in (2, 3, 8, 0x86) for i in range(8)), 1 << 64, -1),
            "kind": range(-1, 9),
            "low_half": (False, True),
            "index": range(-1, 9),
        },
    ),
    "pte": Scope(
        "addresses on the bounds of each level's pages and past 32, 40 and 52 bits, three registers, levels 0 to 5",
        {
            "layout": [Layout(*each) for each in ((32, _PATS[0]), (40, _PATS[1]), (52, _PATS[2]))],
            "fields": [
                Fields(physical, *allowed, leaf, cache)
                for physical, allowed, leaf, cache in product(_ADDRESSES, _ALLOWED, (False, True), (0, 5, 7))
            ],
            "level": range(6),
            "mapped.level": range(1, 5),
            "leaf": (False, True),
            "value": [
                flags | address
                for flags in (0, 3, 0x1F, 0x83, 0x8000000000000163)
                for address in (0, 1 << 12, 1 << 13, 1 << 21, 1 << 30, 1 << 40, 1 << 52, 1 << 64)
            ],
        },
    ),
}
