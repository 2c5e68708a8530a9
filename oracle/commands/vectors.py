"""`memoracle vectors`: golden vectors for the unit tests of any memory manager, in its own language."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import TYPE_CHECKING

from memoracle.commands.drive import stated_geometry
from memoracle.console.options import add_common_options, chosen_geometry, named
from memoracle.console.output import report_to, write_document
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import GeometryError
from memoracle.trace.inputs import InputError
from memoracle.vectors import NAMES

if TYPE_CHECKING:
    from memoracle.drive.binding import Binding

# Modules with written(vectors, binding); they, and what makes vectors, are imported in run only: others need none.
WRITERS = {"c": "c", "rust": "rust", "pytest": "pytest_file"}
FORMATS = ("json", *WRITERS)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    words = "write golden vectors: small sequences of calls, and what the law requires of each"
    parser = subparsers.add_parser("vectors", help=words, description=f"Asks the reference to {words}.")
    source = "what they are about"
    parser.add_argument("--component", choices=NAMES, required=True, help=source)
    words = "of a shared library: c and rust then call its functions, and nothing has to be defined"
    parser.add_argument("--binding", metavar="FILE.toml", type=named, help=words)
    add_common_options(parser, formats=FORMATS)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Writes the vectors, and returns the exit status; raises InputError and GeometryError."""
    from memoracle.vectors.build import vectors_of
    from memoracle.vectors.document import document

    geometry, stated, binding = chosen(args)
    if binding is None:
        vectors = vectors_of(args.component, geometry, stated)
    else:
        from memoracle.vectors.bound import called
        from memoracle.vectors.vector import NULLABLE

        left_out = () if args.format == "json" else NULLABLE
        vectors = vectors_of(args.component, geometry, stated, called(binding, left_out))
    if binding is not None and not any(vector.steps for vector in vectors.vectors):
        words = f"it has none of the operations that `{args.component}` is about"
        raise InputError(args.binding, None, words)
    with report_to(args, args.binding) as out:
        if args.format == "json":
            write_document(document(vectors), out)
        else:
            out.write(import_module(f"memoracle.vectors.{WRITERS[args.format]}").written(vectors, binding))
    return 0


def chosen(args: argparse.Namespace) -> tuple[Geometry | None, object, Binding | None]:
    """The geometry that the vectors are of, None for the component's own; as a header has it; and the binding."""
    from memoracle.vectors.components import COMPONENTS

    geometry, where = chosen_geometry(args), args.geometry
    stated = None if geometry is None else stated_geometry(args.geometry)
    binding = None
    if args.binding is not None:
        from memoracle.drive.binding_file import load_binding

        binding = load_binding(args.binding)
        if stated is not None:
            binding = binding.with_geometry(stated)
        if args.component == "boot":
            raise binding.fault("start", "a library is started as it says, with one memory map: `boot` is of many")
        private = [] if COMPONENTS[args.component].anywhere else ["private_frames"]
        for key in ("memory_map", *private):
            if getattr(binding.says, key):
                raise binding.fault(key, "vectors are of machines all of whose frames are there, and free at start")
        geometry, stated, where = binding.geometry, binding.says.geometry, where or args.binding
    if geometry is not None and (fault := COMPONENTS[args.component].fits(geometry)) is not None:
        field, _, message = fault.partition(": ")
        raise GeometryError(field, message, where=f"{where}: ")
    return geometry, stated, binding
