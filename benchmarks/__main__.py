"""`make bench`: measures, and prints tables. Nothing is asserted of the times."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.table import Table

from benchmarks.driving import driving_speeds
from benchmarks.growth import GROWTHS, costs
from benchmarks.heap import heap_speeds
from benchmarks.kept import proving
from benchmarks.kmem import kmem_speeds
from benchmarks.manager import rates as manager_rates
from benchmarks.memory import peak
from benchmarks.overlapping import PROCESSORS, overlapping_speeds
from benchmarks.searching import FREE, searching
from benchmarks.solving import solving
from benchmarks.speed import Speeds, agree, speeds
from benchmarks.states import DEPTH, missing, visiting
from benchmarks.targets import PIPED, Reached, memory_reached, speed_reached
from benchmarks.workloads import WORKLOADS, Workload

MIB = 1 << 20
OVERLAPPING_AT_MOST = 100_000
MANAGER_AT_MOST = 20_000  # operations of each kind
NO_BUILD = "-"  # `make compiled` makes one
TICK = 0.01  # seconds: a shorter time may be told as none
FILE_WIDTH = 120  # columns of tables that no terminal shows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--events", type=positive, default=500_000, help="of each speed (default: 500,000)")
    parser.add_argument("--piped", type=positive, default=1_000_000, help="of each peak of memory (default: 1,000,000)")
    parser.add_argument("--full", action="store_true", help=f"measure memory with {PIPED:,} events")
    parser.add_argument(
        "--solver", action="store_true", help="prove everything, cold and warm, and say how long it took"
    )
    parser.add_argument(
        "--depth",
        type=int,
        choices=range(DEPTH + 1),
        default=DEPTH,
        help=f"of the buddy system whose states are visited (default: {DEPTH})",
    )
    parser.add_argument("--growth", action="store_true", help="say how the cost of proofs grows with the largest size")
    parser.add_argument(
        "--sharing", action="store_true", help="say what two processes, and a Dask cluster of two, save"
    )
    args = parser.parse_args()
    console = Console() if sys.stdout.isatty() else Console(width=FILE_WIDTH)
    piped = PIPED if args.full else args.piped
    peaks = {workload: peak_of(workload, piped) for workload in WORKLOADS}
    console.print(memory_table(peaks, piped))
    measured = [found for workload in WORKLOADS for found in speeds(workload, args.events)]
    console.print(speed_table(measured, args.events))
    reached = [*speed_reached(measured), *memory_reached(peaks, piped)]
    console.print(targets_table(reached))
    console.print("\n".join(each.why for each in reached if each.why is not None))
    console.print(heap_table(args.events))
    console.print(kmem_table(args.events))
    console.print(overlapping_table(args.events))
    console.print(driving_table(args.events))
    console.print(manager_table(args.events))
    console.print(searching_table(args.events))
    console.print(states_table(args.depth))
    console.print(kept_table(["pat"]))
    if args.sharing:
        console.print(sharing_table(args.events))
    if args.growth:
        console.print(growth_table())
    if args.solver:
        console.print(kept_table([]))
        console.print(solver_table())


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def peak_of(workload: Workload, events: int) -> int:
    """First of all: a process starts with the peak of the one that made it."""
    status, found = peak(workload, events)
    agree(workload, status)
    return found


def memory_table(peaks: Mapping[Workload, int], events: int) -> Table:
    drawn = numbers(f"Peak memory of memoracle check, {events:,} events from a pipe", "MiB")
    for workload, found in peaks.items():
        drawn.add_row(workload.name, workload.levels[0], f"{found / MIB:,.0f}")
    return drawn


def targets_table(reached: Iterable[Reached]) -> Table:
    drawn = Table(
        "memoracle check",
        title=f"What is asked for, and what was reached; of memory with {PIPED:,} events",
        title_justify="left",
    )
    for column in ("target", "reached", "met"):
        drawn.add_column(column, justify="right")
    for each in reached:
        drawn.add_row(each.what, each.target, each.reached, each.met)
    return drawn


def speed_table(measured: Iterable[Speeds], events: int) -> Table:
    columns = ("check", "compiled", "as a command", "plain model", "Hypothesis", "decoding alone")
    drawn = numbers(f"Events (of Hypothesis: steps) a second of one core, {events:,} events", *columns)
    for found in measured:
        told = (NO_BUILD if rate is None else f"{rate:,.0f}" for rate in rates(found))
        drawn.add_row(found.workload.name, found.level, *told)
    return drawn


def heap_table(events: int) -> Table:
    drawn = Table("heap", title=f"Events a second of one core, {events:,} events", title_justify="left")
    for column in ("check", "plain list of intervals", "decoding alone"):
        drawn.add_column(column, justify="right")
    for found in heap_speeds(events):
        drawn.add_row(found.name, *(f"{rate:,.0f}" for rate in (found.check, found.plain, found.decoding)))
    return drawn


def kmem_table(events: int) -> Table:
    drawn = Table("pages of Linux", title=f"Events a second of one core, {events:,} events", title_justify="left")
    for column in ("check", "plain dictionary of pages", "reading alone"):
        drawn.add_column(column, justify="right")
    for found in kmem_speeds(events):
        drawn.add_row(found.name, *(f"{rate:,.0f}" for rate in (found.check, found.plain, found.reading)))
    return drawn


def overlapping_table(events: int) -> Table:
    events = min(events, OVERLAPPING_AT_MOST)
    title = f"Operations a second of one core, {events:,} operations of {PROCESSORS} threads"
    drawn = Table("operations that overlap", title=title, title_justify="left")
    for column in ("check", "the same in one order"):
        drawn.add_column(column, justify="right")
    for found in overlapping_speeds(events):
        drawn.add_row(found.name, f"{found.overlapping:,.0f}", f"{found.in_order:,.0f}")
    return drawn


def driving_table(calls: int) -> Table:
    drawn = Table("drive", title="Calls a second of one core, answers compared", title_justify="left")
    for column in ("drive", "Hypothesis", "times"):
        drawn.add_column(column, justify="right")
    for found in driving_speeds(calls):
        times = f"{found.driven / found.hypothesis:,.0f}"
        drawn.add_row(found.name, f"{found.driven:,.0f}", f"{found.hypothesis:,.0f}", times)
    return drawn


def manager_table(events: int) -> Table:
    drawn = Table("reference manager", title="Its operations a second of one core", title_justify="left")
    drawn.add_column("a second", justify="right")
    for said, rate in manager_rates(min(events, MANAGER_AT_MOST)).items():
        drawn.add_row(said, f"{rate:,.0f}")
    return drawn


def searching_table(events: int) -> Table:
    runs = min(events, FREE)
    title = f"Microseconds of a search of the reference's runs, {runs:,} of which are free"
    drawn = Table("what only the last run is", title=title, title_justify="left")
    for column in ("reference", "plain list of intervals"):
        drawn.add_column(column, justify="right")
    for found in searching(runs):
        drawn.add_row(found.name, *(f"{seconds * 1e6:,.1f}" for seconds in (found.reference, found.plain)))
    return drawn


def states_table(depth: int) -> Table:
    """Every state of a buddy system is visited, and every allocation and free made in each."""
    title = f"Seconds of visiting every state of a buddy system of {1 << depth} pages"
    if lacking := missing():
        title += f"; not by Spin: {' and '.join(lacking)} must be installed"
    drawn = Table("by", title=title, title_justify="left")
    for column in ("states", "transitions", "seconds", "states a second"):
        drawn.add_column(column, justify="right")
    for found in visiting(depth):
        rate = found.states / max(found.seconds, TICK)
        drawn.add_row(found.name, f"{found.states:,}", f"{found.transitions:,}", f"{found.seconds:.3g}", f"{rate:,.0f}")
    return drawn


def rates(found: Speeds) -> tuple[float | None, ...]:
    return found.check, found.compiled, found.command, found.plain, found.machine, found.decoding


def numbers(title: str, *columns: str) -> Table:
    """A table of numbers by workload and level."""
    drawn = Table(title=title, title_justify="left")
    drawn.add_column("operations", no_wrap=True)
    drawn.add_column("level")
    for column in columns:
        drawn.add_column(column, justify="right")
    return drawn


def kept_table(components: list[str]) -> Table:
    """A proof from an empty cache, repeated, and the peer: a process that loads the solver."""
    found = proving(components)
    drawn = Table("memoracle prove", title="Seconds by the clock of a whole command", title_justify="left")
    for column in ("cold", "warm", "import z3 alone"):
        drawn.add_column(column, justify="right")
    drawn.add_row(" ".join(components) or "all", *(f"{each:,.2f}" for each in (found.cold, found.warm, found.loading)))
    return drawn


def sharing_table(events: int) -> Table:
    from benchmarks.sharing import AT_ONCE, sharing

    drawn = Table("command", title="Seconds by the clock of whole commands", title_justify="left")
    for column in ("one process", f"{AT_ONCE} processes", f"Dask, {AT_ONCE} workers", f"xargs -P {AT_ONCE}"):
        drawn.add_column(column, justify="right")
    for found in sharing(events):
        peer = "" if found.peer is None else f"{found.peer:,.2f}"
        drawn.add_row(found.name, f"{found.one:,.2f}", f"{found.two:,.2f}", f"{found.cluster:,.2f}", peer)
    return drawn


def growth_table() -> Table:
    """Below the proofs of each component, the peer: every state of one size is tried."""
    title = "Cost of a fixed set of proofs; of trying every state"
    drawn = Table("component", "what grows", title=title, title_justify="left")
    for column in ("size", "rlimit", "states", "seconds"):
        drawn.add_column(column, justify="right")
    for growth in GROWTHS:
        for cost in costs(growth):
            counted = ("" if each is None else f"{each:,}" for each in (cost.rlimit, cost.states))
            drawn.add_row(growth.component, growth.of, cost.size, *counted, f"{cost.seconds:,.2f}")
    return drawn


def solver_table() -> Table:
    verdict, totals = solving()
    drawn = Table("component", title=f"Seconds of proving, nothing cached: {verdict}", title_justify="left")
    drawn.add_column("obligations", justify="right")
    drawn.add_column("seconds", justify="right")
    for component, (count, seconds) in totals.items():
        drawn.add_row(component, f"{count:,}", f"{seconds:,.1f}")
    return drawn


if __name__ == "__main__":
    main()
