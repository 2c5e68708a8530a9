"""What a trace exercised, in words and as a document: what its verdict rests on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct
from rich.padding import Padding
from rich.table import Table

from memoracle.replay.coverage import KINDS, Coverage, total
from memoracle.trace.events import operation_of_kind

SHOWN = 6  # rules that were never put to the test, or least often, at the most


def document(parts: Iterable[Coverage | None]) -> dict[str, Any] | None:
    """What all traces of a run exercised together; None where it is not counted (kmem logs, memory maps).

    operations: by name, how many events there were and how many of them failed.  exhausted: whether frames and ranges
    ever were.  untested: by operation, the clauses that no event put to the test.  tested: of each operation that there
    was, by clause, how many events put it to the test.
    """
    counted = [part for part in parts if part is not None]
    if not counted:
        return None
    whole = total(counted)
    return {
        "operations": {
            operation_of_kind(kind): {"events": whole.events[kind], "failed": whole.failed[kind]}
            for kind in exercised(whole)
        },
        "exhausted": {"frames": whole.frames_ran_out, "ranges": whole.ranges_ran_out},
        "untested": {operation_of_kind(kind): clauses for kind in KINDS if (clauses := whole.untested(kind))},
        "tested": {operation_of_kind(kind): whole.tested(kind) for kind in exercised(whole)},
    }


def table(coverage: Coverage) -> Padding:
    """The same in a few lines; of the rules that were never put to the test those of the operations that there were."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column()
    facts.add_column(overflow="fold")
    facts.add_row("exercised", ", ".join(counts(coverage)))
    ever = [words for words, ran_out, _ in exhaustions(coverage) if ran_out]
    never = [words for words, ran_out, allocated in exhaustions(coverage) if allocated and not ran_out]
    if ever:
        facts.add_row("ran out of", " and ".join(ever))
    if never:
        facts.add_row("never ran out of", " or ".join(never))
    if untested := list(never_tested(coverage)):
        facts.add_row("never tested", "; ".join(untested))
    return Padding(facts, (0, 0, 0, 2))


def never_tested(coverage: Coverage) -> Iterator[str]:
    """By operation, the first rules that nothing put to the test, and how many there are beside them."""
    found = {kind: coverage.untested(kind) for kind in exercised(coverage)}
    left = SHOWN
    for kind, clauses in found.items():
        if shown := clauses[:left]:
            yield f"{operation_of_kind(kind)} [{', '.join(shown)}]"
        left -= len(shown)
    more = sum(map(len, found.values())) - SHOWN
    if more > 0:
        yield f"and {more:,} more (--format json has all)"


def least_tested(coverage: Coverage) -> str:
    """The rules that were put to the test least often, of those that ever were, and how often."""
    found = sorted((count, kind, clause) for kind, clause, count in counts_of_rules(coverage) if count)
    return ", ".join(f"{kind} [{clause}] {count:,}" for count, kind, clause in found[:SHOWN])


def counts_of_rules(coverage: Coverage) -> Iterator[tuple[str, str, int]]:
    """By operation that there was and rule, how many events put it to the test."""
    for kind in exercised(coverage):
        for clause, count in coverage.tested(kind).items():
            yield operation_of_kind(kind), clause, count


def exercised(coverage: Coverage) -> list[type[Struct]]:
    return [kind for kind in KINDS if coverage.events[kind]]


def counts(coverage: Coverage) -> Iterator[str]:
    for kind in exercised(coverage):
        failed = coverage.failed[kind]
        yield f"{coverage.events[kind]:,} {operation_of_kind(kind)}" + (f" ({failed:,} failed)" if failed else "")


def exhaustions(coverage: Coverage) -> Iterator[tuple[str, bool, bool]]:
    """Of frames and of ranges: their name, whether they ran out, and whether any event was about them."""
    families = {operation_of_kind(kind).partition(".")[0] for kind in exercised(coverage)}
    yield "frames", coverage.frames_ran_out, not families.isdisjoint(("frame", "kernel_pages"))
    yield "ranges", coverage.ranges_ran_out, not families.isdisjoint(("range", "kernel_pages"))
