"""What a suite's target is like, before it is driven: its operations, and its machine."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Collection
from functools import partial

from memoracle.drive.binding_file import load_binding
from memoracle.drive.program import Program
from memoracle.drive.python_object import imported, operations_in
from memoracle.pytest_plugin.settings import Suite
from memoracle.spec.geometry import DEFAULT, Geometry, preset
from memoracle.trace.files import exists
from memoracle.trace.geometry import load_geometry


def operations_of(suite: Suite, geometry: str | None) -> Collection[str]:
    """The operations that it has. geometry: of Suite.geometries. Raises InputError and GeometryError."""
    file, target = binding_file(suite), suite.target
    if file is not None:
        binding = load_binding(file)
        return [*binding.says.operations, *(str(event["op"]) for event in binding.head()[1:])]
    if suite.made is not None:
        return operations_in(suite.made, target) or operations_in_what_is_made(made_for(suite, geometry), target)
    if ":" in target and not exists(target):
        found = imported(target)
        return operations_in(found, target) or operations_in_what_is_made(found, target)
    from memoracle.commands.drive import header_of  # it loads much that other targets do not need here

    program = Program(shlex.split(target), header_of(suite.path(geometry)))
    program.process.kill()
    program.process.wait()
    return program.operations


def operations_in_what_is_made(made: object, name: str) -> Collection[str]:
    """Of what a function makes: it is made, to see what it has. name: of the target, for messages."""
    return operations_in(made(), name) if callable(made) else ()


def made_for(suite: Suite, geometry: str | None) -> object:
    """A Python object, or what makes one; what takes a geometry is given that. Raises GeometryError and InputError."""
    made = suite.made
    if callable(made) and "geometry" in inspect.signature(made).parameters:
        return partial(made, geometry=geometry_of(suite, geometry))
    return made


def geometry_of(suite: Suite, name: str | None) -> Geometry:
    """The machine; name: of Suite.geometries. Raises GeometryError and InputError."""
    chosen, file = suite.path(name), binding_file(suite)
    if chosen is not None:
        return load_geometry(chosen)
    return preset(DEFAULT) if file is None else load_binding(file).geometry


def binding_file(suite: Suite) -> str | None:
    says = suite.settings
    if suite.made is not None:
        return None
    return suite.path(says.binding) or (suite.target if suite.target.endswith(".toml") else None)
