"""memoracle: is this memory manager right?

The reference, `check`, `drive` and `prove` as a library. A name is imported when it is first used, since a solver takes
a second to load and the reference needs none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from memoracle import compiled

if TYPE_CHECKING:
    from memoracle.impl.bitmap import Bitmap
    from memoracle.impl.buddy import Buddy
    from memoracle.impl.heap import Heap
    from memoracle.impl.kernel_half import KernelHalf
    from memoracle.impl.manager import Manager
    from memoracle.impl.paging import Paging
    from memoracle.library.check import CheckResult, check, check_files
    from memoracle.library.conformance import Conformance
    from memoracle.library.drive import DriveResult, drive_target
    from memoracle.library.prove import ProveResult, prove
    from memoracle.spec.geometry_keys import GeometryError
    from memoracle.trace.inputs import InputError

__all__ = [
    "Bitmap",
    "Buddy",
    "CheckResult",
    "Conformance",
    "DriveResult",
    "GeometryError",
    "Heap",
    "InputError",
    "KernelHalf",
    "Manager",
    "Paging",
    "ProveResult",
    "check",
    "check_files",
    "drive_target",
    "prove",
]

_MODULES = {
    "check": "memoracle.library.check",
    "check_files": "memoracle.library.check",
    "CheckResult": "memoracle.library.check",
    "drive_target": "memoracle.library.drive",
    "DriveResult": "memoracle.library.drive",
    "prove": "memoracle.library.prove",
    "ProveResult": "memoracle.library.prove",
    "Conformance": "memoracle.library.conformance",
    "GeometryError": "memoracle.spec.geometry_keys",
    "InputError": "memoracle.trace.inputs",
    "Bitmap": "memoracle.impl.bitmap",
    "Buddy": "memoracle.impl.buddy",
    "Heap": "memoracle.impl.heap",
    "KernelHalf": "memoracle.impl.kernel_half",
    "Manager": "memoracle.impl.manager",
    "Paging": "memoracle.impl.paging",
}

compiled.begin()


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
