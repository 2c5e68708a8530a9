"""What a run of `drive` exercised: how often each rule was tested, and which branches of the reference were taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, TextIO

from rich.padding import Padding
from rich.table import Table

from memoracle.console.console import console_on
from memoracle.console.counted import counted
from memoracle.replay.branches import Branch, Exercised
from memoracle.replay.coverage import Coverage
from memoracle.report.coverage_report import counts_of_rules, least_tested

SHOWN = 4  # branches that went one way only, at the most
NEVER_TAKEN, ALWAYS_TAKEN, NEVER_REACHED = "never taken", "always taken", "never reached"


def document(found: Exercised) -> dict[str, Any]:
    """calls, of: how many calls were watched, and how many there were.

    functions: of the modules that were used, which were called and which never.  statements: each that branches.
    """
    return {
        "calls": found.calls,
        "of": found.of,
        "functions": {"called": names(found.called), "never_called": names(found.uncalled)},
        "statements": [
            {
                "place": branch.place,
                "function": branch.function,
                "source": branch.source,
                "taken": taken,
                "not_taken": passed,
            }
            for branch, (taken, passed) in found.taken.items()
        ],
    }


def names(functions: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{file}:{name}" for file, name in functions]


def write_text(coverage: Coverage | None, found: Exercised, whole: bool, out: TextIO) -> None:
    """whole: each rule and each branch, instead of a few lines about them."""
    console = console_on(out)
    facts = Table.grid(padding=(0, 2))
    facts.add_column()
    facts.add_column(overflow="fold")
    if coverage is not None and (least := least_tested(coverage)):
        facts.add_row("tested least", least)
    facts.add_row("branches", summary(found))
    for words, branches in () if whole else one_way(found):
        facts.add_row(words, listed(branches))
    console.print(Padding(facts, (0, 0, 0, 2)))
    if whole:
        for heading, rows in (("times tested", rules(coverage)), ("taken", branches_of(found))):
            console.print(table(heading, rows))


def summary(found: Exercised) -> str:
    """How many branches of the functions that were called went either way, and what that was measured on."""
    counts = found.in_called.values()
    both = sum(taken > 0 and passed > 0 for taken, passed in counts)
    part = "all" if found.calls == found.of else f"the first {found.calls:,} of"
    words = f"of the reference, as the replay of {part} {counted(found.of, 'call')} took them: "
    if not counts:
        return words + "none, since it calls no function that branches"
    return words + f"{both:,} of {len(counts):,} both ways, in {counted(len(found.called), 'function')}"


def way(counts: tuple[int, int]) -> str | None:
    """How a branch went if it went one way only."""
    taken, passed = counts
    if taken and passed:
        return None
    return ALWAYS_TAKEN if taken else NEVER_TAKEN if passed else NEVER_REACHED


def one_way(found: Exercised) -> Iterator[tuple[str, list[Branch]]]:
    """The branches that were reached and went one way only."""
    for words in (NEVER_TAKEN, ALWAYS_TAKEN):
        if branches := [branch for branch, counts in found.in_called.items() if way(counts) == words]:
            yield words, branches


def listed(branches: Sequence[Branch]) -> str:
    said = [f"{branch.place} `{branch.source}`" for branch in branches[:SHOWN]]
    more = len(branches) - SHOWN
    return "; ".join([*said, *([f"and {more:,} more (--coverage has all)"] if more > 0 else [])])


def rules(coverage: Coverage | None) -> Iterator[tuple[str, str]]:
    for operation, clause, count in () if coverage is None else counts_of_rules(coverage):
        yield f"{count:,}", f"{operation} [{clause}]"


def branches_of(found: Exercised) -> Iterator[tuple[str, str]]:
    called = found.in_called
    for branch, (taken, passed) in found.taken.items():
        if branch in called:
            yield f"{taken:,} of {taken + passed:,}", f"{branch.place} {branch.function}: `{branch.source}`"
    for file, functions in groupby(found.uncalled, key=lambda each: each[0]):
        yield "", f"{file}, never called: {', '.join(name for _, name in functions)}"


def table(heading: str, rows: Iterator[tuple[str, str]]) -> Padding:
    """Counts, and of what they are."""
    facts = Table(box=None, padding=(0, 2, 0, 0))
    facts.add_column(heading, justify="right")
    facts.add_column(overflow="fold")
    for row in rows:
        facts.add_row(*row)
    return Padding(facts, (1, 0, 0, 2))
