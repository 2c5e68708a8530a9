"""`memoracle explain NAME`: what a clause, an operation or an obligation says, where it stands, and what proves it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from difflib import get_close_matches

from memoracle.console.exit_status import Status
from memoracle.console.extras import HINT
from memoracle.console.options import add_common_options, chosen_geometry, named, note
from memoracle.console.output import report_to
from memoracle.explain.report import write
from memoracle.trace.inputs import InputError

NEAR = 5  # names that are like an unknown one, at the most


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    words = "say what a rule is, where it stands, and what proves it"
    parser = subparsers.add_parser("explain", help=words, description=f"Looks a name up, to {words}.")
    names = "of a clause, operation, obligation, contract or component, or what `check` prints as a rule"
    parser.add_argument("name", metavar="NAME", type=named, help=names)
    add_common_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Explains a name, and returns the exit status; raises InputError and GeometryError."""
    # The proofs take a moment to load, and no other command needs them all.
    from memoracle.explain.entries import explained, without_proofs
    from memoracle.explain.index import Index

    chosen_geometry(args)  # a law is about every geometry that there can be, so about this one if it can be
    index = Index()
    name = bare(args.name)
    explanation = explained(index, name)
    if explanation is None:
        more = "" if index.has_proofs else f"; the names of obligations need {HINT}"
        raise InputError("explain", None, unknown(name, index.names, sorted(index.proved or index.components)) + more)
    if not index.has_proofs:
        explanation = without_proofs(explanation)
        note(args, f"memoracle: what is proved of it is not shown: that needs {HINT}")
    with report_to(args) as out:
        write(args, explanation, out)
    return Status.HOLDS


def bare(name: str) -> str:
    """A name without the brackets in which `check` prints it."""
    return name[1:-1] if name.startswith("[") and name.endswith("]") else name


def unknown(name: str, names: Sequence[str], components: Sequence[str]) -> str:
    """That nothing has this name, and what has one like it; if nothing has, how the names are found."""
    parts = [each for each in names if name and name.lower() in each.lower()]
    near = list(dict.fromkeys([*get_close_matches(name, names, NEAR), *parts]))[:NEAR]
    found = f"near it: {', '.join(near)}" if near else f"the components list what they have: {', '.join(components)}"
    return f"nothing is called {name!r}; {found}"
