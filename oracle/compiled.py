"""A compiled wheel has each compiled module twice, as source and as machine code: which of them a process imports.

Proofs execute the source with stand-ins, branches are watched line by line, and users derive classes from the
reference: so the source is imported, but for `memoracle check`. An ordinary wheel has the source alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec, PathFinder
from importlib.util import spec_from_file_location
from types import ModuleType

VARIABLE = "MEMORACLE_COMPILED"  # in the environment; 1: compiled modules for all, 0: not for `check` either
PACKAGE = "memoracle."
ALWAYS_COMPILED = os.path.join(os.path.dirname(__file__), "impl", "bitmap")  # noqa: PTH118, PTH120 (at every start)


class CompiledError(RuntimeError):
    """Machine code runs where the source is needed."""


class SourcesFirst:
    """Finds the source of modules that are compiled, too."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if path is None or not name.startswith(PACKAGE):
            return None
        found = PathFinder.find_spec(name, path, target)
        if found is None or not isinstance(found.loader, ExtensionFileLoader):
            return found
        folder = os.path.dirname(found.loader.path)  # noqa: PTH120
        return spec_from_file_location(name, os.path.join(folder, f"{name.rpartition('.')[2]}.py"))  # noqa: PTH118


@cache
def is_built() -> bool:
    """Whether what is installed has compiled modules."""
    return any(os.path.exists(ALWAYS_COMPILED + suffix) for suffix in EXTENSION_SUFFIXES)  # noqa: PTH110


def loaded() -> list[str]:
    """The modules that this process has imported compiled."""
    modules = [*sys.modules.items()]
    return [name for name, each in modules if name.startswith(PACKAGE) and is_compiled(each)]


def is_compiled(module: ModuleType) -> bool:
    return isinstance(getattr(module, "__loader__", None), ExtensionFileLoader)


def begin() -> None:
    """For a process that has imported nothing of the package yet."""
    if os.environ.get(VARIABLE) != "1" and is_built():
        prefer_sources()


def prefer_sources() -> None:
    if SourcesFirst not in sys.meta_path:
        sys.meta_path.insert(0, SourcesFirst)


def use_compiled() -> None:
    """From now on, also in the processes that this one starts; not if sources of compiled modules run already."""
    if os.environ.get(VARIABLE) == "0" or not is_built() or runs_sources():
        return
    os.environ[VARIABLE] = "1"
    if SourcesFirst in sys.meta_path:
        sys.meta_path.remove(SourcesFirst)


def use_sources() -> None:
    """From now on, also in the processes that this one starts; raises CompiledError if compiled modules run already."""
    refuse_compiled("proofs, and which branches are taken, are about sources")
    if is_built():
        os.environ[VARIABLE] = "0"
        prefer_sources()


def refuse_compiled(why: str) -> None:
    """Raises CompiledError if compiled modules run. why: they are of no use, for the message."""
    if loaded():
        raise CompiledError(f"{why}, and here compiled modules run: set {VARIABLE}=0 in the environment")


def runs_sources() -> bool:
    """Whether a module that is compiled, too, was imported as source: the two do not mix."""
    places = [getattr(each, "__file__", None) for name, each in [*sys.modules.items()] if name.startswith(PACKAGE)]
    stems = [place.removesuffix(".py") for place in places if place is not None and place.endswith(".py")]
    return any(os.path.exists(stem + suffix) for stem in stems for suffix in EXTENSION_SUFFIXES)  # noqa: PTH110
