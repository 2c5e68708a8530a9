"""`memoracle check TRACE ...`: does what was recorded of a memory manager keep to the specification?"""

from __future__ import annotations

import argparse

from memoracle.commands.check_inputs import Check
from memoracle.concurrent.decide import STEPS
from memoracle.console.exit_status import INTERRUPTED, worst
from memoracle.console.options import (
    TEXT,
    add_input_options,
    add_map_options,
    named,
    positive,
)
from memoracle.console.streams import say
from memoracle.diagnostics.levels import LEVELS
from memoracle.logs.recognise import FORMS
from memoracle.report.check_report import CheckRun, TraceResult
from memoracle.report.destinations import add_report_options, draws_what_led, reports_to
from memoracle.reproducers.options import add_emit_options, in_document, refuse_of_check, refuse_outputs, write_test
from memoracle.scaling.options import add_worker_options, refuse_both, workers_of
from memoracle.scaling.workers import Workers
from memoracle.timeline.past import Past
from memoracle.trace.interrupts import raised_interrupts


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    words = "hold what was recorded of a memory manager against the law"
    parser = subparsers.add_parser("check", help=words, description=f"Reads traces to {words}.")
    source = "a trace or a log; - is standard input"
    parser.add_argument("traces", metavar="TRACE", nargs="+", type=named, help=source)
    levels = "what to accept: whatever is safe, whatever is legal, or exactly what the reference does"
    parser.add_argument("--level", choices=LEVELS, help=f"{levels} (default: legal; for a kmem log: safe)")
    parser.add_argument("--keep-going", action="store_true", help="report every divergence, not only a trace's first")
    words = "report each divergence when its line arrives; a file that ends may grow"
    parser.add_argument("--follow", action="store_true", help=words)
    parser.add_argument("--ignore-unknown", action="store_true", help="skip events of unknown operations")
    parser.add_argument("--split", action="store_true", help="a file may hold several traces, each with its header")
    source = "a log with a memory map, for traces without one"
    parser.add_argument("--memory-map", metavar="LOG", type=named, help=source)
    words = f"steps that the search for a legal order of operations that overlap may take (default: {STEPS})"
    parser.add_argument("--budget", metavar="STEPS", type=positive, default=STEPS, help=words)
    words = "a kmem log begins with the machine, whose memory map --memory-map has (default level then: legal)"
    parser.add_argument("--from-boot", action="store_true", help=words)
    parser.add_argument("--input", choices=FORMS, help="what the inputs are (default: recognised by their content)")
    add_map_options(parser)
    add_input_options(parser)
    add_emit_options(parser)
    words = "of --emit: how the functions of a shared library are called that did what was recorded"
    parser.add_argument("--binding", metavar="FILE.toml", type=named, help=words)
    add_report_options(parser)
    add_worker_options(parser, "processes that check, each a file or a part of one (default: 1)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Checks each trace, writes the report, and returns the exit status; raises InputError and GeometryError."""
    inputs = (*args.traces, args.memory_map, args.binding)
    refuse_of_check(args)
    refuse_outputs(args, *inputs)
    with reports_to(args, "check", *inputs) as report:
        check = Check(args)
        check.keeps = draws_what_led(args)
        refuse_both(args)
        workers = workers_of(args)
        outcomes = check.outcomes() if workers is None else spread(check, workers)
        test = None
        if args.emit is not None:  # what it needs takes a moment to load
            from memoracle.reproducers.of_check import of_recordings

            test = of_recordings(args, outcomes, check.memory_map, check.again())
        followed = args.follow and args.format == TEXT and args.output is None
        past = Past(check.watched, spools=check.spools, max_line=args.max_line)
        report(CheckRun(outcomes, args.quiet, followed, in_document(test), past))
    write_test(args, test)
    for outcome in outcomes:
        if outcome.fault is not None:
            say(f"memoracle: {outcome.fault}")
    if any(outcome.interrupted for outcome in outcomes):
        say("memoracle: interrupted")
        return INTERRUPTED
    return worst(outcome.status for outcome in outcomes)


def spread(check: Check, workers: Workers) -> list[TraceResult]:
    """What comes of each trace, of which workers check several at once."""
    from memoracle.commands.check_spread import outcomes_of_all

    with raised_interrupts():
        return outcomes_of_all(check, check.args.traces, workers)
