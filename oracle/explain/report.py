"""The report of `explain`: as JSON, or as text."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from textwrap import indent
from typing import TYPE_CHECKING, Any, TextIO

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from memoracle.console.console import console_on
from memoracle.console.counted import counted
from memoracle.console.options import JSON
from memoracle.console.output import write_document

if TYPE_CHECKING:
    from memoracle.explain.entries import Entry, Explanation

REPORTED = "reported_as"  # sentences
BY_NAME = "used_by"  # these are many, and each is a step away: their names are enough
INVARIANT = "invariant"
TITLES = {
    "guard": "It happens only if",
    "guards": "It guards",
    "obligations": "Obligations about it",
    BY_NAME: "Obligations that come to it through something else",
    "code": "Code of the reference",
    "checked_in": "`check` asks it of",
    "namesakes": "Of the same name",
    "asks": "`check` asks",
    "about": "About",
    "operation": "The operation",
    "clauses": "Clauses",
    "operations": "Operations",
    "contracts": "Contracts",
    "rules": "Rules of `check` that are no clauses",
}


def write(args: argparse.Namespace, explanation: Explanation, out: TextIO) -> None:
    """Writes the report in the format asked for."""
    if args.format == JSON:
        write_document(document(explanation), out)
    else:
        write_text(explanation, out)


def document(explanation: Explanation) -> dict[str, Any]:
    """The machine-readable report."""
    related = {key: [asdict(entry) for entry in entries] for key, entries in explanation.related.items()}
    return {
        "memoracle": 1,
        "command": "explain",
        "name": explanation.name,
        "kind": explanation.kind,
        "says": explanation.says,
        "source": explanation.source,
        "text": explanation.text,
        **explanation.facts,
        **related,
    }


def write_text(explanation: Explanation, out: TextIO) -> None:
    console = console_on(out)
    at = f" ({explanation.source})" if explanation.source else ""
    console.print(Text(f"{explanation.kind} {explanation.name}{at}", "bold"))
    facts = Table.grid(padding=(0, 2))
    facts.add_row("says", Text(explanation.says))
    for key, value in explanation.facts.items():
        told = value if isinstance(value, str) else ("\n" if key == REPORTED else ", ").join(value)
        if told:
            facts.add_row(key.replace("_", " "), Text(told))
    console.print(Padding(facts, (0, 0, 0, 2), expand=False))
    if explanation.text:
        console.print(Text("\n" + indent(explanation.text, " " * 4)), soft_wrap=True)
    for key, entries in explanation.related.items():
        if entries:
            console.print(Text(f"\n{TITLES[key]}", "bold"))
            listed = names(entries) if key == BY_NAME else table(entries)
            console.print(Padding(listed, (0, 0, 0, 2), expand=False))
    if lacks_proof(explanation):
        console.print("\nNo obligation is about it.", style="bold")


def lacks_proof(explanation: Explanation) -> bool:
    """Whether it is of the law, and nothing is proved of it."""
    of_the_law = BY_NAME in explanation.related
    return of_the_law and not explanation.related["obligations"] and not explanation.related[BY_NAME]


def table(entries: Sequence[Entry]) -> Table:
    """What each is called and says, and where it stands."""
    drawn = Table.grid(padding=(0, 2))
    drawn.add_column(no_wrap=True)
    drawn.add_column(overflow="fold")
    drawn.add_column(no_wrap=True)
    for entry in entries:
        drawn.add_row(entry.name, Text(entry.says), Text(entry.source, "dim"))
    return drawn


def names(entries: Sequence[Entry]) -> Text:
    """Names alone; and how many more the operations' invariants are, which every guard is taken as given for."""
    others = [entry.name for entry in entries if entry.kind != INVARIANT]
    kept = len(entries) - len(others)
    return Text(", ".join([*others, *([f"{counted(kept, INVARIANT)} that operations keep"] if kept else [])]))
