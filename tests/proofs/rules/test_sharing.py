"""Containers that are shared, in each way that a reference could share one, and what the rule says of it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import FunctionType

import pytest

from memoracle.impl.bitmap import Bitmap
from memoracle.impl.heap import Heap
from memoracle.impl.kernel_half import KernelHalf
from memoracle.impl.paging import Paging
from memoracle.proofs.contracts.docstrings import functions
from memoracle.proofs.exhaustive.heap import FewPages
from memoracle.proofs.parts import component_of
from memoracle.proofs.registry import COMPONENTS
from memoracle.proofs.rules.containers import containers, doubled
from memoracle.proofs.rules.sharing import PACKAGE, borrowed, complaints, shared_on_purpose

IN_ROOM = "self.room = [SortedSet() for _ in range(self.page_shift + 1)]"
# By what is broken: the module, the text that is replaced and what replaces it.
BROKEN = {
    "a table handed out": ("kernel_half", "self.tables[process].copy() if", "self.tables[process] if"),
    "a list of blocks kept and handed out": (
        "buddy",
        "        return listing\n",
        "        self.listing = listing\n        return listing\n",
    ),
    "one set for all classes": ("heap", IN_ROOM, "self.room = [SortedSet()] * (self.page_shift + 1)"),
    "one set for two classes": ("heap", IN_ROOM, IN_ROOM + "\n        self.room[4] = self.room[5]"),
    "two dictionaries that are one": ("heap", "self.large: dict[int, int] = {}", "self.large = self.empty"),
    "one bitmap for two": ("bitmap", "self.existing = self.never_free[:]", "self.existing = self.never_free"),
    "one list for every order": (
        "buddy",
        "[SortedSet() for _ in range(highest)]",
        "[SortedSet()] * highest",
    ),
    "a default": ("manager", "records: Sequence[Record] | None = None) -> None", "records=None, given=set()) -> None"),
    "one set for the pages of all processes": ("paging", "self.mapped[process] = set()", "self.mapped[process] = ALL"),
    "the kernel's set for each process": (
        "paging",
        "self.mapped[process] = set()",
        "self.mapped[process] = self.mapped[0]",
    ),
    "one table for all that a page needs": (
        "paging",
        "self.memory[table] = [0] * ENTRIES\n",
        "self.memory[table] = self.memory[taken[0]] if table != taken[0] else [0] * ENTRIES\n",
    ),
    "a dictionary of the module": ("paging", "self.memory: dict[int, list[int]] = {}", "self.memory = MEMORY"),
    "the live processes are those pending": (
        "kernel_half",
        "self.pending = self.live.copy()",
        "self.pending = self.live",
    ),
    "the master is a process's": (
        "kernel_half",
        "self.tables = {0: [0] * ENTRIES}",
        "self.tables = {0: self.master}",
    ),
    "the caller's list kept": (
        "boot",
        "    bitmap = Bitmap(frames",
        "    KEPT.append(records)\n    bitmap = Bitmap(frames",
    ),
    "the caller's list answered": ("boot", "    return left + [", "    return left if not left else left + ["),
    "the space of another": ("buddy", "= Buddy(self.process_depth)", "= self.spaces[0]"),
    "one bitmap for all slabs": (
        "slab",
        "self.bitmap = Bitmap(layout.slots, [(0, head)])",
        "self.bitmap = BITMAPS.setdefault(layout, Bitmap(layout.slots, [(0, head)]))",
    ),
    "what is no more shared on purpose": ("buddy", "return self.spaces.get(process)", "return None"),
}
MORE = {
    "paging": "ALL = set()\nMEMORY = {}\n",
    "boot": "KEPT = []\n",
    "slab": "BITMAPS = {}\n",
}
GIVEN = "self.given: set[int] = set()"


def broken(monkeypatch: pytest.MonkeyPatch, module: str, old: str, new: str) -> None:
    """Puts the functions of a changed module in the place of the sound ones."""
    sound = import_module(f"{PACKAGE}.{module}")
    text = Path(sound.__file__ or "").read_text(encoding="utf-8")
    assert text.count(old) == 1
    text = text.replace(old, new)
    if "given=set()" in new:
        text = text.replace(GIVEN, "self.given = given")
    text = text.replace("\n\nclass ", f"\n{MORE.get(module, '')}\n\nclass ", 1)
    names = {"__name__": sound.__name__}
    exec(compile(text, str(sound.__file__), "exec"), names)
    changed = dict(names)
    names.update({name: getattr(sound, name) for name, value in changed.items() if isinstance(value, type)})
    for name, value in changed.items():
        if isinstance(value, FunctionType) and value.__module__ == sound.__name__:
            monkeypatch.setattr(sound, name, value)
        elif isinstance(value, dict | set | list) and not name.startswith("__"):
            monkeypatch.setattr(sound, name, value, raising=False)
        elif isinstance(value, type) and value.__module__ == sound.__name__ and not issubclass(value, tuple):
            for method, function in vars(value).items():
                if isinstance(function, FunctionType):
                    monkeypatch.setattr(getattr(sound, name), method, function)


@pytest.mark.parametrize("kind", BROKEN)
def test_each_way_to_share_a_container_is_found(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, *BROKEN[kind])
    assert next(complaints(component_of(BROKEN[kind][0])), None)


@pytest.mark.parametrize("component", COMPONENTS)
def test_the_reference_shares_what_it_says_and_no_more(component: str) -> None:
    assert list(complaints(component)) == []


def test_what_is_shared_on_purpose() -> None:
    said = {f"{each.component}.{each.qualified}": shared_on_purpose(each) for each in functions(PACKAGE)}
    assert {name: shared for name, shared in said.items() if shared} == {
        "boot.without_other": {"runs"},
        "boot.without_touched": {"runs"},
        "boot.without_usable": {"holes"},
        "buddy.Spaces.of": {"the answer"},
        "heap.Heap.__init__": {"pages"},
        "paging.Paging.__init__": {"frames", "halves"},
    }
    assert borrowed(Paging) == {"frames", "halves"}
    assert borrowed(KernelHalf) == set()


def test_what_can_be_reached() -> None:
    halves, pages = KernelHalf(), FewPages(2)
    assert {id(halves.master), id(halves.tables[0]), id(halves.live)} < containers(halves).keys()
    assert containers((1, "two", (None, frozenset({3})))) == {}
    assert not containers(Bitmap(3)).keys() & containers(Bitmap(3)).keys()
    heap = Heap(pages, (8, 16), 64, None)
    assert id(pages.out) in containers(heap)
    assert doubled(heap, "heap", lambda each: set()) is None
    vars(heap).update(slabs=heap.large, notes={})
    assert doubled(heap, "heap", lambda each: set()) in (
        "heap.slabs and heap.large are one dict",
        "heap.large and heap.slabs are one dict",
    )
