"""A small machine whose ranges are handed out in runs, and events of it."""

from __future__ import annotations

from typing import Any

from small_geometry import SMALL

PAGE = 1 << 21
START = 3  # the page that a process's range begins at, counted from address 0
KERNEL = 0xFFFFFFFF00000000 + 3 * PAGE
# 13 pages from an odd page on; of a process's, page 12 is taken at start, and of the kernel's, pages 0 to 2.
RUNS: dict[str, Any] = SMALL | {
    "range_allocator": "runs",
    "kernel_range": {"start": hex(KERNEL), "pages": 13},
    "kernel_reserved": [{"page": 0, "pages": 3}],
    "process_range": {"start": START * PAGE, "pages": 13},
    "process_reserved": [{"page": 12, "pages": 1}],
}
PARTIAL = RUNS | {"range_free": "partial"}
CREATE = {"op": "process.create", "result": 1}
Event = dict[str, Any]


def op(name: str, process: int = 1, **keys: Any) -> Event:
    return {"op": name, "process": process} | keys


def at(page: int, process: int = 1) -> str | int:
    address = (START * PAGE if process else KERNEL) + page * PAGE
    return hex(address) if address >= 0 else address


def allocate(pages: int, page: int, process: int = 1, **limits: Any) -> Event:
    return op("range.allocate", process, pages=pages, result=at(page, process), **limits)


def no_run(pages: int, process: int = 1, **limits: Any) -> Event:
    return op("range.allocate", process, pages=pages, error="no run fits", **limits)


def reserve(page: int, pages: int, process: int = 1, **keys: Any) -> Event:
    return op("range.reserve", process, address=at(page, process), pages=pages, **keys)


def free(page: int, pages: int, process: int = 1, **keys: Any) -> Event:
    return op("range.free", process, address=at(page, process), pages=pages, **keys)


def size(page: int, process: int = 1, **keys: Any) -> Event:
    return op("range.size", process, address=at(page, process), **keys)


def listed(*stretches: tuple[int, int, bool], process: int = 1) -> Event:
    return op("range.list", process, result=[[at(page, process), pages, taken] for page, pages, taken in stretches])
