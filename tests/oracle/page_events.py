"""Events about pages that are mapped."""

from __future__ import annotations

from typing import Any

PAGE = 1 << 21
UPPER = 0xFFFF900000000000  # a kernel address outside the kernel's range
KERNEL = 0xFFFFFFFF00000000
LAST = (1 << 47) - PAGE  # of the lower half
LEVELS = ("safe", "legal", "exact")
REFUSED = {"error": "refused"}


def op(name: str, **keys: Any) -> dict[str, Any]:
    return {"op": name} | keys


def create(process: int) -> dict[str, Any]:
    return op("process.create", result=process)


def exit_of(process: int, **keys: Any) -> dict[str, Any]:
    return op("process.exit", process=process, **keys)


def allocate(frame: int) -> dict[str, Any]:
    return op("frame.allocate", result=frame * PAGE)


def is_free(frame: int, answer: bool) -> dict[str, Any]:
    return op("frame.is_free", address=frame * PAGE, result=answer)


def page_map(virtual: int, frame: int, process: int = 0, **keys: Any) -> dict[str, Any]:
    keys = {"physical": hex(frame * PAGE)} | keys
    return op("page.map", process=process, virtual=hex(virtual) if virtual >= 0 else virtual, **keys)


def unmap(virtual: int, process: int = 0, **keys: Any) -> dict[str, Any]:
    return op("page.unmap", process=process, virtual=hex(virtual) if virtual >= 0 else virtual, **keys)


def translate(virtual: int, result: int | None, process: int = 0, **keys: Any) -> dict[str, Any]:
    answer = None if result is None else hex(result)
    return op("page.translate", process=process, virtual=virtual, result=answer, **keys)


def attributes(virtual: int, process: int = 0, cache: str = "write-back", **changes: bool) -> dict[str, Any]:
    told = {"cache": cache, "writable": True, "user": virtual < 1 << 47, "executable": True, "global": False}
    return op("page.attributes", process=process, virtual=virtual, result=told | changes)


def read(index: int, value: int, process: int = 0) -> dict[str, Any]:
    return op("pml4.read", process=process, index=index, result=value)
