"""`memoracle vectors`: golden vectors for the unit tests of any memory manager, in its own language."""

from __future__ import annotations

import argparse

from memoracle.console.options import add_common_options, chosen_geometry
from memoracle.console.output import report_to, write_document
from memoracle.spec.geometry import PRESETS
from memoracle.spec.geometry_keys import GeometryError
from memoracle.trace.geometry import read_toml
from memoracle.vectors import c, pytest_file, rust
from memoracle.vectors.build import COMPONENTS, vectors_of
from memoracle.vectors.document import document

WRITERS = {"c": c.written, "rust": rust.written, "pytest": pytest_file.written}
FORMATS = ("json", *WRITERS)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    words = "write golden vectors: small sequences of calls, and what the law requires of each"
    parser = subparsers.add_parser("vectors", help=words, description=f"Asks the reference to {words}.")
    source = "what they are about"
    parser.add_argument("--component", choices=COMPONENTS, required=True, help=source)
    add_common_options(parser, formats=FORMATS)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Writes the vectors, and returns the exit status; raises InputError and GeometryError."""
    geometry = chosen_geometry(args)
    stated = None
    if geometry is not None:
        fault = COMPONENTS[args.component].fits(geometry)
        if fault is not None:
            field, _, message = fault.partition(": ")
            raise GeometryError(field, message, where=f"{args.geometry}: ")
        stated = args.geometry if args.geometry in PRESETS else read_toml(args.geometry)[1]
    vectors = vectors_of(args.component, geometry, stated)
    with report_to(args) as out:
        if args.format == "json":
            write_document(document(vectors), out)
        else:
            out.write(WRITERS[args.format](vectors))
    return 0
