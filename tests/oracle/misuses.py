"""For each clause by which the law refuses a call as it is made: a call that breaks it, in the small geometry.

What comes before it conforms at every level.
"""

from __future__ import annotations

from typing import Any, NamedTuple

PAGE = 1 << 21
KERNEL = 0xFFFFFFFF00000000
UPPER = 0xFFFF900000000000
FRAME = 3 * PAGE

Event = dict[str, Any]


class Misuse(NamedTuple):
    """result: what is recorded where the call succeeds all the same; None of an operation that returns nothing."""

    clause: str
    before: tuple[Event, ...]
    call: Event
    result: Any = None

    @property
    def op(self) -> str:
        return str(self.call["op"])

    def succeeds(self) -> list[Event]:
        return [*self.before, self.call | {"result": self.result}]

    def fails(self) -> list[Event]:
        return [*self.before, self.call | {"error": "refused"}]

    def crashes(self) -> list[Event]:
        return [*self.before, self.call | {"crash": "panic"}]

    @property
    def line(self) -> int:
        return len(self.before) + 2


def op(name: str, **keys: Any) -> Event:
    return {"op": name} | keys


BOOT = op("boot", memory_map=[{"start": 0, "length": 15 * PAGE, "type": 1}])
CREATED = op("process.create", result=1)
TAKEN = op("range.allocate", process=1, pages=2, result=0)
MAPPED = op("page.map", process=1, virtual=0, physical=FRAME)
KERNEL_PAGES = op("kernel_pages.allocate", pages=2, frames=[2 * PAGE, 3 * PAGE], result=hex(KERNEL + 2 * PAGE))
SIX_TYPES = {"physical": PAGE, "present": True, "writable": True, "user": False, "leaf": True, "cache": "write-back"}
LEAF: Event = {"virtual": 0, "physical": FRAME}
DECODED = SIX_TYPES | {"physical": 0}
ALLOWED = {"cache": "write-back", "writable": True, "user": True, "executable": True, "global": False}


def of_ranges(name: str, sized: bool = True, result: Any = None) -> tuple[Misuse, ...]:
    """What is refused of every operation on blocks of a range."""
    pages = {"pages": 1} if sized else {}
    return (Misuse("kernel_half.process-lives", (), op(name, process=7, address=0, **pages), result),)


def of_pages(name: str, result: Any = None, **leaf: Any) -> tuple[Misuse, ...]:
    lives = Misuse("kernel_half.process-lives", (), op(name, process=7, virtual=0, **leaf), result)
    if name in ("page.translate", "page.attributes"):
        return (
            lives,
            Misuse("addresses.address-has-64-bits", (), op(name, virtual=-1), result),
            Misuse("addresses.address-has-64-bits", (), op(name, virtual=hex(1 << 64)), result),
        )
    return (
        lives,
        Misuse("paging.page-is-aligned", (), op(name, virtual=1, **leaf)),
        Misuse("paging.page-is-canonical", (), op(name, virtual=1 << 47, **leaf)),
    )


MISUSES: tuple[Misuse, ...] = (
    Misuse("boot.boot-comes-first", (op("frame.free_count", result=14),), BOOT),
    Misuse("boot.record-has-64-bits", (), op("boot", memory_map=[{"start": -1, "length": 1, "type": 1}])),
    Misuse("addresses.address-is-aligned", (), op("frame.free", address=FRAME + 1)),
    Misuse("bitmap.frame-is-in-reach", (), op("frame.free", address=16 * PAGE)),
    Misuse("bitmap.frees-only-what-may-be-free", (), op("frame.free", address=0)),
    Misuse("bitmap.frees-only-existing", (BOOT,), op("frame.free", address=15 * PAGE)),
    Misuse("bitmap.frees-only-allocated", (), op("frame.free", address=FRAME)),
    Misuse("manager.takes-back-what-was-given", (KERNEL_PAGES,), op("frame.free", address=2 * PAGE)),
    Misuse("addresses.address-is-aligned", (), op("frame.get", address=1)),
    Misuse("manager.gets-only-allocated", (), op("frame.get", address=FRAME)),
    Misuse("addresses.address-is-aligned", (), op("frame.put", address=1)),
    Misuse("manager.a-get-is-left", (), op("frame.put", address=0)),
    Misuse("addresses.address-is-aligned", (), op("frame.reserve", address=FRAME + 1, count=1)),
    Misuse("bitmap.reserves-some", (), op("frame.reserve", address=FRAME, count=0)),
    Misuse("bitmap.reserves-only-free", (), op("frame.reserve", address=0, count=3)),
    Misuse("bitmap.adds-only-what-is-missing", (BOOT,), op("memory.add", start=14 * PAGE, length=2 * PAGE)),
    Misuse("boot.record-has-64-bits", (BOOT,), op("memory.add", start=-1, length=1)),
    Misuse("bitmap.frame-is-in-reach", (), op("frame.is_free", address=16 * PAGE), False),
    Misuse("kernel_half.never-exits-the-kernel", (), op("process.exit", process=0)),
    Misuse("kernel_half.process-lives", (), op("process.exit", process=7)),
    Misuse("kernel_half.process-lives", (), op("range.allocate", process=7, pages=1), 0),
    Misuse("buddy.rounds-up", (CREATED,), op("range.allocate", process=1, pages=0), 0),
    *of_ranges("range.reserve"),
    Misuse("addresses.address-is-aligned", (CREATED,), op("range.reserve", process=1, address=1, pages=1)),
    Misuse("buddy.rounds-up", (CREATED,), op("range.reserve", process=1, address=0, pages=0)),
    Misuse("buddy.is-a-power-of-two", (CREATED,), op("range.reserve", process=1, address=0, pages=3)),
    Misuse("buddy.block-lies-in-range", (CREATED,), op("range.reserve", process=1, address=16 * PAGE, pages=1)),
    Misuse("buddy.block-is-aligned", (CREATED,), op("range.reserve", process=1, address=PAGE, pages=2)),
    Misuse("buddy.block-is-free", (CREATED, TAKEN), op("range.reserve", process=1, address=PAGE, pages=1)),
    *of_ranges("range.free"),
    Misuse("addresses.address-is-aligned", (CREATED, TAKEN), op("range.free", process=1, address=1, pages=2)),
    Misuse("buddy.rounds-up", (CREATED, TAKEN), op("range.free", process=1, address=0, pages=0)),
    Misuse("buddy.block-is-allocated", (CREATED, TAKEN), op("range.free", process=1, address=PAGE, pages=1)),
    Misuse("buddy.never-frees-fixed", (), op("range.free", address=hex(KERNEL), pages=2)),
    Misuse("manager.frees-no-kernel-block", (KERNEL_PAGES,), op("range.free", address=hex(KERNEL + 2 * PAGE), pages=2)),
    *of_ranges("range.size", sized=False, result=0),
    Misuse("kernel_half.process-lives", (), op("range.list", process=7), []),
    *of_pages("page.map", physical=FRAME),
    Misuse("paging.frame-is-aligned", (), op("page.map", virtual=0, physical=FRAME + 1)),
    Misuse("paging.frame-is-addressable", (), op("page.map", virtual=0, physical=1 << 52)),
    Misuse("paging.type-is-available", (), op("page.map", **LEAF, cache="uncached")),
    Misuse("paging.page-is-unmapped", (CREATED, MAPPED), op("page.map", process=1, virtual=0, physical=4 * PAGE)),
    *of_pages("page.unmap"),
    Misuse("paging.page-is-mapped", (), op("page.unmap", virtual=0)),
    Misuse("manager.unmaps-no-kernel-page", (KERNEL_PAGES,), op("page.unmap", virtual=hex(KERNEL + 2 * PAGE))),
    *of_pages("page.translate", None),
    *of_pages("page.attributes", None),
    Misuse("buddy.rounds-up", (), op("kernel_pages.allocate", pages=0), hex(KERNEL + 2 * PAGE)),
    Misuse("kernel_pages.begins-kernel-pages", (), op("kernel_pages.free", address=hex(KERNEL + 2 * PAGE), pages=2)),
    Misuse(
        "kernel_pages.frees-them-whole",
        (KERNEL_PAGES,),
        op("kernel_pages.free", address=hex(KERNEL + 2 * PAGE), pages=1),
    ),
    Misuse("kernel_half.process-lives", (), op("pml4.write", process=7, index=0, value=1)),
    Misuse("kernel_half.entry-exists", (), op("pml4.write", index=512, value=1)),
    Misuse("kernel_half.value-is-an-entry", (), op("pml4.write", index=0, value=-1)),
    Misuse("kernel_half.process-lives", (), op("pml4.read", process=7, index=0), 0),
    Misuse("kernel_half.entry-exists", (), op("pml4.read", index=512), 0),
    Misuse("kernel_half.process-lives", (), op("pml4.dump", process=7), [0] * 512),
    Misuse("pat.index-has-the-type", (), op("pat.select", cache="uncached", low_half=False), 0),
    Misuse("pat.index-exists", (), op("pat.decode", index=8), "write-back"),
    Misuse("pte.level-exists", (), op("pte.encode", **SIX_TYPES, level=5), 0x83),
    Misuse("pte.leaf-is-possible", (), op("pte.encode", **SIX_TYPES | {"physical": 0}, level=4), 0x83),
    Misuse("pte.physical-is-aligned", (), op("pte.encode", **SIX_TYPES | {"physical": 1}, level=2), 0x83),
    Misuse("pte.physical-is-addressable", (), op("pte.encode", **SIX_TYPES | {"physical": 1 << 52}, level=2), 0x83),
    Misuse("pte.type-is-available", (), op("pte.encode", **SIX_TYPES | {"cache": "uncached"}, level=2), 0x83),
    Misuse("pte.level-exists", (), op("pte.decode", value=0x83, level=0), DECODED),
    Misuse("pte.value-is-an-entry", (), op("pte.decode", value=-1, level=2), DECODED),
    Misuse("pte.no-reserved-bit-is-set", (), op("pte.decode", value=0x2083, level=2), DECODED),
    Misuse("bitmap.alignment-is-a-power-of-two", (), op("heap.new", bytes=8, alignment=24), hex(KERNEL + 48)),
    Misuse("heap.deletes-a-live-block", (), op("heap.delete", address=hex(KERNEL + 64))),
    Misuse("heap.resizes-a-live-block", (), op("heap.resize", address=hex(KERNEL + 64), bytes=8), hex(KERNEL + 64)),
    Misuse(
        "bitmap.alignment-is-a-power-of-two",
        (),
        op("heap.resize", address=0, bytes=8, alignment=0),
        hex(KERNEL + 48),
    ),
)
