"""One trace that has every operation of the format, for tests."""

from __future__ import annotations

from typing import Any

PAGE = 1 << 21
KERNEL = 0xFFFFFFFF00000000
Event = dict[str, Any]


def op(name: str, **keys: Any) -> Event:
    return {"op": name} | keys


def kernel(page: int) -> str:
    """The address of a page of the kernel's range, of which pages 0 and 1 are taken at start."""
    return hex(KERNEL + page * PAGE)


ALLOWED = {"cache": "write-combining", "writable": False, "user": True, "executable": True, "global": False}
ENTRY = {"physical": 2 * PAGE, "present": True, "writable": True, "user": False, "leaf": True, "cache": "write-back"}
BLOCKS = [[0, 4, True], [4 * PAGE, 4, True], [8 * PAGE, 8, False]]
TRACE = [
    op("boot", memory_map=[{"start": 0, "length": 16 * PAGE, "type": 1}]),
    op("frame.allocate", result=2 * PAGE),
    op("frame.is_free", address=2 * PAGE, result=False),
    op("frame.free_count", result=13),
    op("process.create", result=1),
    op("range.allocate", process=1, pages=3, result=0),
    op("range.reserve", process=1, address=4 * PAGE, pages=4),
    op("range.size", process=1, address=0, result=4),
    op("range.list", process=1, result=BLOCKS),
    op("page.map", process=1, virtual=0, physical=2 * PAGE, cache="write-combining", writable=False),
    op("page.translate", process=1, virtual=5, result=2 * PAGE + 5),
    op("page.attributes", process=1, virtual=5, result=ALLOWED),
    op("kernel_pages.allocate", pages=2, frames=[3 * PAGE, 4 * PAGE], result=kernel(2)),
    op("pml4.write", process=1, index=300, value=7),
    op("pml4.read", index=300, result=7),
    op("pml4.dump", process=1, result=[1] + [0] * 299 + [7] + [0] * 210 + [1]),
    op("pat.register", result="0x0005040600010406"),
    op("pat.select", cache="write-protected", low_half=False, result=6),
    op("pat.decode", index=6, result="write-protected"),
    op("pte.encode", **ENTRY, level=2, result=2 * PAGE | 0x83),
    op("pte.decode", value=2 * PAGE | 0x83, level=2, result=ENTRY),
    op("heap.new", bytes=64, result=kernel(4)),
    op("heap.resize", address=kernel(4), bytes=128, result=kernel(5)),
    op("heap.delete", address=kernel(5)),
    op("kernel_pages.free", address=kernel(2), pages=2),
    op("page.unmap", process=1, virtual=0, release=True),
    op("range.free", process=1, address=0, pages=3),
    op("process.exit", process=1),
    op("frame.allocate", result=2 * PAGE),
    op("frame.get", address=2 * PAGE),
    op("frame.put", address=2 * PAGE),
    op("frame.free", address=2 * PAGE),
    op("frame.reserve", address=2 * PAGE, count=1),
    op("memory.add", start=64 * PAGE, length=PAGE),
]
