"""A manager that errs once, in every way in which an operation can.

The trace says what its callers saw; from then on the manager's state is another than the trace explains.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import Any

from manager_recorder import Recorder

Method = Callable[..., Any]


def copy_of(manager: Any) -> Any:
    """Its page tables are long lists of numbers, which `copy.deepcopy` would take one by one."""
    return pickle.loads(pickle.dumps(manager))


class FaultyManager:
    """Errs at the call of a method that has a fault for it, after so many others that could have been it."""

    def __init__(self, manager: Any, method: str, fault: Callable[[Any, str, Sequence[Any]], Any], others: int) -> None:
        self.__dict__.update(manager=manager, method=method, fault=fault, others=others, has_erred=False)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.manager, name, value)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.manager, name)
        return self.once if name == self.method and not self.has_erred else method

    def once(self, *arguments: Any) -> Any:
        erring = copy_of(self.manager)
        answer = self.fault(erring, self.method, arguments)
        if answer is None or self.others > 0:
            self.__dict__["others"] -= answer is not None
            return getattr(self.manager, self.method)(*arguments)
        self.__dict__["has_erred"] = True
        return self.fault(self.manager, self.method, arguments)


def does_nothing(manager: Any, method: str, arguments: Sequence[Any]) -> bool | None:
    """It says that it did what it had to do."""
    return True if getattr(copy_of(manager), method)(*arguments) is True else None


def accepts_misuse(manager: Any, method: str, arguments: Sequence[Any]) -> bool | None:
    """It says that it did what it must refuse."""
    return True if getattr(copy_of(manager), method)(*arguments) is False else None


def maps_over(manager: Any, method: str, arguments: Sequence[Any]) -> bool | None:
    """A page that is mapped is mapped to something else; the frame that it showed is not released."""
    process, virtual, _ = arguments
    copy, frames = copy_of(manager), manager.paging.frames
    if copy.map(*arguments) or not copy.unmap(process, virtual) or not copy.map(*arguments):
        return None
    if {*copy.paging.frames.taken} != {*copy.paging.frames.returned}:
        return None  # its tables would move
    manager.unmap(process, virtual)
    manager.map(*arguments)
    frames.taken, frames.returned = [], []
    return True


FAULTS: dict[str, tuple[Method, str, Callable[[Any, str, Sequence[Any]], Any]]] = {
    "a range that is freed leaks": (Recorder.free_range, "free_range", does_nothing),
    "a frame that is freed leaks": (Recorder.free_frame, "free_frame", does_nothing),
    "a page that is unmapped stays": (Recorder.unmap, "unmap", does_nothing),
    "a page that is mapped is not": (Recorder.map_some, "map", does_nothing),
    "kernel pages that are freed stay": (Recorder.free_pages, "free_pages", does_nothing),
    "a process that exits lives on": (Recorder.exit, "exit", does_nothing),
    "no range was freed": (Recorder.free_range, "free_range", accepts_misuse),
    "no range was reserved": (Recorder.reserve_range, "reserve_range", accepts_misuse),
    "no frame was freed": (Recorder.free_frame, "free_frame", accepts_misuse),
    "no page was unmapped": (Recorder.unmap, "unmap", accepts_misuse),
    "no kernel pages were freed": (Recorder.free_pages, "free_pages", accepts_misuse),
    "no process exited": (Recorder.exit, "exit", accepts_misuse),
    "no page was mapped": (Recorder.map_some, "map", accepts_misuse),
    "a page is mapped over": (Recorder.map_some, "map", maps_over),
}
