"""What a verdict depends on: the text of every module that can affect the claim, or how it is settled.

These are the modules of the component and the one that makes the claim, all that they import, directly or not, and what
settles claims. Some modules serve every component by its name (`exhaustive/computations.py`, for example): of what
these import, the modules of other components count only where the component is built on those.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from memoracle.proofs.parts import BUILT_ON, component_of

ROOT = Path(__file__).parents[1]
WINGS = ("spec", "impl", "proofs")
SETTLES = ("proofs.obligations.discharge",)
READ_ALL = {"proofs.rules": "impl"}  # claims of this module are about the text of this whole wing
BY_NAME = ("abstraction", "contracts", "counting", "emulator", "exhaustive", "registry", "rules")  # in proofs/
IMPORT = re.compile(r"^[ \t]*from (memoracle[.\w]*) import (\([^)]*\)|[^\n]*)", re.MULTILINE)
STARTING = 3  # seconds in which this process may have imported some module before it read the files
PLAIN = re.compile(r"^[ \t]*import (memoracle[.\w]*)", re.MULTILINE)
NAME = re.compile(r"(\w+)(?:\s+as\s+\w+)?")


@dataclass(frozen=True)
class Source:
    """A module's file as it was when it was read: its text, and what shows that it has changed since."""

    path: Path
    text: str
    stamp: tuple[int, int, int]

    def is_as_read(self) -> bool:
        """Whether the file is unchanged since."""
        with suppress(OSError):
            return stamp(self.path) == self.stamp
        return False


def stamp(path: Path) -> tuple[int, int, int]:
    """What differs after a change of the file: its time, size and inode; raises OSError."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


def sources() -> dict[str, Source]:
    """Every module of the law, the reference and the proofs, as `impl.buddy`."""
    found = {}
    for wing in WINGS:
        for path in sorted((ROOT / wing).rglob("*.py")):
            found[name_of(path.relative_to(ROOT))] = Source(path, path.read_text(encoding="utf-8"), stamp(path))
    return found


def name_of(path: Path) -> str:
    """The name of a module by its path in the project."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


# Read before the modules that make claims are imported: a file that is unchanged when they are settled is what was run.
READ_AT = time.time()
SOURCES = sources()


def are_as_read(names: Iterable[str]) -> bool:
    """Whether these modules are still what this process imported."""
    return all(SOURCES[name].is_as_read() and SOURCES[name].stamp[0] < (READ_AT - STARTING) * 1e9 for name in names)


def knows(module: str) -> bool:
    """Whether it is a module of the law, the reference or the proofs."""
    return module.removeprefix("memoracle.") in SOURCES


def digest(component: str, module: str) -> str:
    """A hash of all text that a verdict on a component's claim depends on. module: the one that makes the claim."""
    whole = hashlib.sha256()
    for name in sorted(modules(component, module)):
        whole.update(f"{name}\0{SOURCES[name].text}\0".encode())
    return whole.hexdigest()


@cache
def modules(component: str, module: str) -> frozenset[str]:
    """The modules that such a verdict depends on."""
    due = {component, *BUILT_ON.get(component, ())}
    waiting = [name for name in SOURCES if owner(name) == component]
    waiting += [*SETTLES, module.removeprefix("memoracle.")]
    for package, wing in READ_ALL.items():
        if module.startswith(f"memoracle.{package}."):
            waiting += [name for name in SOURCES if name.startswith(f"{wing}.")]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        waiting += [each for each in imports(name) if not serves_by_name(name) or owner(each) in (None, *due)]
    return frozenset(found)


@cache
def imports(module: str) -> frozenset[str]:
    """The modules that a module imports anywhere in its text, with the packages that they are in."""
    return frozenset(each for name in _imported(SOURCES[module].text) for each in _with_packages(name))


def _imported(text: str) -> Iterator[str]:
    for package, names in IMPORT.findall(text):
        base = package.removeprefix("memoracle").lstrip(".")
        yield base
        yield from (f"{base}.{name}".lstrip(".") for name in NAME.findall(names))
    yield from (name.removeprefix("memoracle").lstrip(".") for name in PLAIN.findall(text))


def _with_packages(name: str) -> Iterator[str]:
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        if (inner := ".".join(parts[:length])) in SOURCES:
            yield inner


@cache
def owner(module: str) -> str | None:
    """The component that a module belongs to; None if it serves all."""
    wing, *inner = module.split(".")
    if wing in ("spec", "impl"):
        return _component(inner[0]) if inner else None
    if inner[:1] == ["components"] and len(inner) > 1:
        return inner[1]
    return _component(inner[1]) if inner[:1] == ["exhaustive"] and len(inner) > 1 else None


def _component(name: str) -> str | None:
    component = component_of(name)
    return component if f"impl.{component}" in SOURCES else None


def serves_by_name(module: str) -> bool:
    """Whether a module serves every component by its name."""
    wing, *inner = module.split(".")
    return wing == "proofs" and bool(inner) and inner[0] in BY_NAME and owner(module) is None
