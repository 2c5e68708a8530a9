"""`memoracle prove [COMPONENT ...]`: discharges what there is to prove, on all processors."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from memoracle.compiled import use_sources
from memoracle.console.exit_status import INTERRUPTED, worst
from memoracle.console.extras import require_prove
from memoracle.console.options import chosen_geometry
from memoracle.console.streams import say
from memoracle.diagnostics.levels import EXACT
from memoracle.proving import budgets, changes, geometry_report, smt_files
from memoracle.proving.part import Part
from memoracle.report.badge import add_badge_option, refuse_badge, write_badge
from memoracle.report.destinations import add_report_options, reports_to
from memoracle.report.proof_report import PROVED, REFUTED, UNKNOWN, ProofRun, Stated, status
from memoracle.reproducers.options import add_emit_options, in_document, refuse_of_prove, refuse_outputs, write_test
from memoracle.scaling.options import add_worker_options, refuse_both, workers_of
from memoracle.spec.geometry import DEFAULT, PRESETS
from memoracle.timeline.past import Past
from memoracle.timeline.timeline import Timeline
from memoracle.trace.inputs import InputError
from memoracle.trace.interrupts import raised_interrupts

if TYPE_CHECKING:
    from memoracle.proofs.evidence import Piece
    from memoracle.proofs.obligations.discharge import Result


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    words = "prove the specification and that the reference's code keeps it"
    parser = subparsers.add_parser("prove", help=words, description=f"Asks a solver to {words}.")
    parser.add_argument("component", metavar="COMPONENT", nargs="*", help="what to prove (default: every component)")
    parser.add_argument("--contracts", action="store_true", help="CrossHair's verdict on the code's contracts too")
    machine = "hold the page tables against an emulated x86 that walks them, too (about a minute)"
    parser.add_argument("--machine", action="store_true", help=machine)
    parser.add_argument("--no-cache", action="store_true", help="prove again what was proved before")
    parser.add_argument("-v", "--verbose", action="store_true", help="list every obligation")
    words = "report in three lines that can be pasted: the verdict, its bounds, what is trusted"
    parser.add_argument("--summary", action="store_true", help=words)
    add_badge_option(parser)
    budgets.add_budget_option(parser)
    changes.add_change_option(parser)
    smt_files.add_smt_option(parser)
    add_emit_options(parser)
    add_report_options(parser)
    add_worker_options(parser, "processes that prove at once (default: as many as there are processors)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Proves, writes the report, and returns its status; raises InputError, GeometryError and MissingExtraError."""
    refuse_of_prove(args)
    refuse_outputs(args)
    refuse_badge(args)
    refuse_both(args)
    require_prove("`memoracle prove`")
    use_sources()
    workers = None if args.executor is None else workers_of(args)
    # A solver takes a moment to load, and no other command needs one.
    from memoracle.proofs import evidence
    from memoracle.proofs.trust import trusted
    from memoracle.proving.spread import settling

    started = time.perf_counter()
    parts: list[Part] = []
    with reports_to(args, "prove") as report:
        due = budgets.wanted_budgets(args)
        geometry = chosen_geometry(args)
        # What is unbounded holds for every geometry, presets too.
        own = geometry if args.geometry not in PRESETS else None
        try:
            pieces = evidence.pieces(args.component, args.contracts, not args.no_cache, args.machine, own)
        except (evidence.UnknownComponentError, evidence.OptimizedError) as fault:
            raise InputError("prove", None, str(fault)) from None
        if args.changed_since is not None:
            pieces, change = changes.chosen(args.changed_since, pieces)
            parts.append(change)
        folder = smt_files.folder_of(args)
        settle = settling(args.jobs, workers, args.machine, own)
        results, interrupted = settled(args, pieces, partial(evidence.results, settle=settle))
        if own is not None:
            parts.append(geometry_report.report_of(args.geometry, own, results))
        parts += budgets.part_of(args, due, results)
        if folder is not None and not interrupted:
            parts.append(smt_files.written(folder, pieces))
        outcome = ProofRun(
            geometry=args.geometry or DEFAULT,
            results=results,
            replays=replays(results, args.emit is not None),
            trust=trusted(args.contracts, args.machine),
            seconds=time.perf_counter() - started,
            law=law_of([result.name for result in results if result.verdict != PROVED]),
            verbose=args.verbose,
            brief=args.summary,
            parts=parts,
        )
        test = None
        if args.emit is not None:
            from memoracle.commands.drive import Judge
            from memoracle.reproducers.of_proof import of_refuted

            test = of_refuted(args.emit, outcome.replays, Judge(EXACT))
        report(replace(outcome, more=in_document(test), steps=partial(steps_of, results, outcome.replays)))
    write_badge(args, outcome)
    write_test(args, test)
    if interrupted:
        say("memoracle: interrupted")
        return INTERRUPTED
    return worst([status(results), *(part.status for part in parts)])


def steps_of(results: Sequence[Result], tests: dict[str, str]) -> dict[str, Timeline]:
    """What is refuted, step by step. tests: see `replays`."""
    from memoracle.commands.drive import checking
    from memoracle.reproducers.refuted_steps import refuted_steps

    return refuted_steps(results, tests, Past(checking(EXACT).watched))


def settled(
    args: argparse.Namespace,
    pieces: Sequence[Piece],
    settle: Callable[[Sequence[Piece]], Generator[tuple[int, Result], None, None]],
) -> tuple[list[Result], bool]:
    """The result of each piece, in their order; and whether the user interrupted, so that some are unknown."""
    results: dict[int, Result] = {}
    interrupted = False
    try:
        with raised_interrupts(), bar(args, len(pieces)) as advance, closing(settle(pieces)) as coming:
            for place, result in coming:
                results[place] = result
                advance(result)
    except KeyboardInterrupt:
        interrupted = True
        for place, piece in enumerate(pieces):
            results.setdefault(place, replace(piece.unsettled, verdict=UNKNOWN, counterexample="interrupted"))
    return [results[place] for place in range(len(pieces))], interrupted


@contextmanager
def bar(args: argparse.Namespace, total: int) -> Iterator[Callable[[Result], None]]:
    """Shows how many are settled, on a terminal; says how many of them are not proved."""
    if args.quiet or not sys.stderr.isatty():
        yield lambda result: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    # It draws itself only when told to: a thread that draws could hold a lock while a worker is forked.
    with Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as progress:
        task = progress.add_task("proving", total=total)
        progress.refresh()
        failed = 0

        def advance(result: Result) -> None:
            nonlocal failed
            failed += result.verdict != PROVED
            progress.update(task, advance=1, description=f"proving ({failed} failed)" if failed else "proving")
            progress.refresh()

        yield advance


def law_of(names: Sequence[str]) -> dict[str, list[Stated]]:
    """By the name of each obligation, the clauses and operations of the law that its proof names itself."""
    if not names:
        return {}
    from memoracle.explain.entries import CLAUSE, of_law
    from memoracle.explain.index import Index, stated
    from memoracle.explain.references import mentions

    index = Index()
    found = {}
    for name in names:
        if name not in index.obligations:  # a contract
            continue
        itself = mentions(stated(index.obligations[name])).itself
        about = [of_law(index, each) for each in index.law.values() if each in itself]
        clauses_first = sorted(about, key=lambda entry: entry.kind != CLAUSE)
        found[name] = [Stated(each.name, each.says, each.source) for each in clauses_first]
    return found


def replays(results: Sequence[Result], is_limited: bool) -> dict[str, str]:
    """The shortest run of the reference that fails, as a test, for each component that something is refuted of.

    is_limited: whether it is searched for a while only.
    """
    from memoracle.proofs.obligations.process_pool import Failure, run_each

    names = list(dict.fromkeys(result.component for result in results if result.verdict == REFUTED))
    found = {}
    searches = [partial(replay_of, name) for name in names]
    if is_limited:
        from memoracle.reproducers.of_proof import SECONDS, found_within

        searches = [partial(found_within, SECONDS, each) for each in searches]
    for place, replay in run_each(searches):
        if isinstance(replay, Failure):
            replay = f"No small run of the reference could be made: {replay.reason}"
        found[names[place]] = replay or "No small run of the reference fails."
    return found


def replay_of(component: str) -> str | None:
    from memoracle.proofs.exhaustive import computations as small_runs

    return small_runs.replay(component)
