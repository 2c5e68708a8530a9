"""Events about kernel pages: those of the kernel's range are named by their numbers."""

from __future__ import annotations

from typing import Any

from page_events import KERNEL, PAGE, op


def at(page: int) -> str:
    """The address of a page of the kernel's range, of which pages 0 and 1 are taken at start."""
    return hex(KERNEL + page * PAGE)


def pages(count: int, page: int, frames: list[int] | None = None) -> dict[str, Any]:
    named = {} if frames is None else {"frames": [hex(frame * PAGE) for frame in frames]}
    return op("kernel_pages.allocate", pages=count, result=at(page)) | named


def failed(count: int, **keys: Any) -> dict[str, Any]:
    return op("kernel_pages.allocate", pages=count, error="no memory", **keys)


def free(page: int, count: int, **keys: Any) -> dict[str, Any]:
    return op("kernel_pages.free", address=at(page), pages=count, **keys)


def free_frame(frame: int, **keys: Any) -> dict[str, Any]:
    return op("frame.free", address=frame * PAGE, **keys)


def count_of(frames: int) -> dict[str, Any]:
    return op("frame.free_count", result=frames)


def free_range(page: int, count: int, **keys: Any) -> dict[str, Any]:
    return op("range.free", address=at(page), pages=count, **keys)


def page_map(page: int, frame: int, **keys: Any) -> dict[str, Any]:
    return op("page.map", virtual=at(page), physical=hex(frame * PAGE), **keys)


def unmap(page: int, **keys: Any) -> dict[str, Any]:
    return op("page.unmap", virtual=at(page), **keys)


def translate(page: int, frame: int | None, offset: int = 0, **keys: Any) -> dict[str, Any]:
    answer = None if frame is None else hex(frame * PAGE + offset)
    return op("page.translate", virtual=hex(KERNEL + page * PAGE + offset), result=answer, **keys)


def attributes(page: int, **changes: Any) -> dict[str, Any]:
    told = {"cache": "write-back", "writable": True, "user": False, "executable": True, "global": False}
    return op("page.attributes", virtual=at(page), result=told | changes)


def listed(*blocks: tuple[int, int, bool]) -> dict[str, Any]:
    return op("range.list", result=[(at(page), count, taken) for page, count, taken in blocks])
