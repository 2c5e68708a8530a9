"""What `vectors` reads, a geometry and a binding, stands in remarks of what it writes, never in the program itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from unittest.mock import patch

from fuzzing import guard
from fuzzing.corpora import BINDINGS, GEOMETRIES, ROOT
from fuzzing.emitted import hold_text, hostile
from fuzzing.mutation import mutated
from memoracle.spec.geometry import Geometry
from memoracle.trace.geometry import geometry_from
from memoracle.trace.inputs import InputError
from memoracle.vectors import build
from memoracle.vectors.components import COMPONENTS
from memoracle.vectors.vector import Called, Vectors

MADE = build.vectors_of
SMALL = ("pat", "boot", "kernel_half")  # components of which vectors are quickly made
OF_LIBRARIES = {"frames": "bitmap", "heap": "heap"}  # in examples/targets
FORMS = ("json", "c", "rust", "pytest")


class Wanted(NamedTuple):
    """A run of `vectors`. name: of the file that it reads.  text: of that file."""

    arguments: tuple[str, ...]
    name: str
    text: bytes


def wanted(random: Random) -> Wanted:
    """Of a geometry whose zones have odd names, or of a library that is described in a file with an odd name."""
    form = f"--format={random.choice(FORMS)}"
    if random.randrange(4):
        zone = json.dumps(hostile(random))
        text = b'preset = "x64-4k"\nzones = [{ name = %s, start = 0, bytes = 4096 }]\n' % zone.encode()
        text = text if random.randrange(3) else mutated(random, [text, *GEOMETRIES])
        return Wanted((form, f"--component={random.choice(SMALL)}", "--geometry=@file"), "file", text)
    target = random.choice([*OF_LIBRARIES])
    whole = (ROOT / "examples" / "targets" / f"{target}.toml").read_bytes()
    text = whole if random.randrange(3) else mutated(random, [whole, *BINDINGS])
    name = hostile(random).replace("/", "").replace("\0", "")[:99] or "x"
    return Wanted((form, f"--component={OF_LIBRARIES[target]}", "--binding=@file"), name, text)


@cache
def made(component: str) -> Vectors:
    """Few vectors of a component's own small machine."""
    found = MADE(component)
    return replace(found, vectors=found.vectors[:3])


@cache
def made_of(component: str, operations: frozenset[str]) -> Vectors:
    asked = COMPONENTS[component].reference(geometry_from(COMPONENTS[component].geometry)).operations
    found = MADE(component, called=Called({name: frozenset(asked[name]) for name in operations}, operations, {}))
    return replace(found, vectors=[each for each in found.vectors if each.steps][:3])


def stand_in(
    name: str, geometry: Geometry | None = None, stated: object = None, called: Called | None = None
) -> Vectors:
    found = made(name) if called is None else made_of(name, KNOWN[name])
    if called is not None and not KNOWN[name] <= {*called.operations}:
        raise InputError("binding", None, "it lacks an operation")
    return found if geometry is None else replace(found, geometry=geometry, stated=stated)


KNOWN = {"bitmap": frozenset({"frame.allocate", "frame.free"}), "heap": frozenset({"heap.new", "heap.delete"})}


def write(folder: Path, wanted: Wanted) -> None:
    path = folder / wanted.name
    path.write_bytes(wanted.text)
    arguments = ["vectors", *(each.replace("@file", str(path)) for each in wanted.arguments)]
    form = wanted.arguments[0].removeprefix("--format=")
    library = patch("memoracle.drive.binding_file.installed", return_value=None)
    try:
        with patch.object(build, "vectors_of", stand_in), library:
            status, said = guard.told(arguments, str(path))
    finally:
        path.unlink()
    assert status in (0, 2)
    if said and form != "json":
        hold_text(form, said)


VECTORS: dict[str, tuple[Callable[[Random], Any], Callable[[Path, Any], None]]] = {"vectors": (wanted, write)}
