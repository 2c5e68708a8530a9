"""`memoracle drive TARGET`: asks a live memory manager until it answers wrongly, and shrinks what it was asked."""

from __future__ import annotations

import argparse
import random
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from memoracle.commands import check
from memoracle.commands.check_inputs import Check
from memoracle.commands.driven import run_of
from memoracle.console.exit_status import INTERRUPTED
from memoracle.console.options import TEXT, chosen_geometry, named, note, positive
from memoracle.console.streams import say
from memoracle.cover.run import Cover
from memoracle.cover.session import CoverSession
from memoracle.diagnostics.levels import LEGAL, LEVELS
from memoracle.drive.failures import Failures
from memoracle.drive.generation.random_calls import RandomCalls
from memoracle.drive.log import ENCODE
from memoracle.drive.sessions.session import Session, Wanted
from memoracle.drive.target import Target
from memoracle.drive.trial import Begun, Plan, Trial, unwatched
from memoracle.replay.branches import Exercised, exercised
from memoracle.report import check_report
from memoracle.report.destinations import add_report_options, reports_to
from memoracle.reproducers.options import add_emit_options, in_document, refuse_outputs, write_test
from memoracle.scaling.options import add_worker_options, workers_of
from memoracle.spec.geometry import DEFAULT, PRESETS, Geometry, preset
from memoracle.timeline.past import Past
from memoracle.trace.files import exists, is_file
from memoracle.trace.formats import geometry_of
from memoracle.trace.geometry import read_toml
from memoracle.trace.inputs import InputError
from memoracle.trace.interrupts import raised_interrupts

if TYPE_CHECKING:
    from memoracle.cover.run import Cover

MOST_CALLS = 1 << 62
DEFAULT_CALLS = 100_000
SEEDS = 1 << 32
MOST_WATCHED, WATCHING = 10_000, 1.0  # calls, and seconds, of which branches are counted where not all are asked for
PATIENCE, PATIENCE_WITH_PROGRAMS = 2.0, 5.0  # seconds
TRACE = "<run>"  # what messages call the trace of a run


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    words = "ask a live memory manager, hold its answers against the law, and shrink what fails"
    parser = subparsers.add_parser("drive", help=words, description=f"Runs an implementation to {words}.")
    source = "a binding (FILE.toml), a shared library with --binding, a program (its command line), or MODULE:NAME"
    parser.add_argument("target", metavar="TARGET", type=named, help=source)
    words = "how the functions of a shared library are called"
    parser.add_argument("--binding", metavar="FILE.toml", type=named, help=words)
    parser.add_argument("--ops", metavar="N", type=positive, help="how many calls (default: 100000, or --time's)")
    parser.add_argument("--time", metavar="SECONDS", type=positive, help="for how long")
    parser.add_argument("--seed", metavar="S", type=positive, help="of the choice of calls, from 1 on (default: any)")
    levels = "what to accept: whatever is safe, whatever is legal, or exactly what the reference does"
    parser.add_argument("--level", choices=LEVELS, default=LEGAL, help=f"{levels} (default: legal)")
    words = "how long a call may take before the target counts as hung (default: 2; of a program or threads 5)"
    parser.add_argument("--call-time", metavar="SECONDS", type=positive, help=words)
    words = "write into every block that a library hands out, and read it again before it is given back"
    parser.add_argument("--fill", action="store_true", help=words)
    parser.add_argument("--no-misuse", action="store_true", help="make no calls that must be refused")
    words = "make every call in every state of a small target, instead of calls at random"
    parser.add_argument("--cover", action="store_true", help=words)
    words = "threads that call a shared library at once, which its binding says is thread_safe"
    parser.add_argument("--threads", metavar="N", type=positive, help=words)
    words = "say of every rule how often it was tested, and of every branch of the reference how often it was taken"
    parser.add_argument("--coverage", action="store_true", help=words)
    add_emit_options(parser)
    add_report_options(parser)
    add_worker_options(parser, "processes that call at once, each with calls of its own (default: 1)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Drives a target, writes the report, and returns the exit status; raises InputError and GeometryError."""
    refuse_workers(args)
    try:
        with raised_interrupts():
            return driven(args)
    except KeyboardInterrupt:
        say("memoracle: interrupted")
        return INTERRUPTED


def refuse_workers(args: argparse.Namespace) -> None:
    """Raises InputError where several cannot do what is asked for."""
    several = "--executor" if args.executor is not None else "--jobs" if (args.jobs or 1) > 1 else None
    if several is None:
        return
    if args.cover:
        raise InputError(several, None, "a target is covered by one process: --cover is not for several")
    if args.threads and args.executor is not None:
        raise InputError(several, None, "threads call a library in one process: --threads is not for workers")


def driven(args: argparse.Namespace) -> int:
    """The same, unless it is interrupted."""
    if args.threads:
        if args.emit is not None:
            raise InputError("--emit", None, "calls of several threads have no order in which they could be made again")
        from memoracle.commands import drive_threads

        seed = random.randrange(SEEDS) if args.seed is None else args.seed
        return drive_threads.run(args, seed, Judge(args.level), checking(args.level).watched)
    refuse_outputs(args, args.target, args.binding)
    with reports_to(args, "drive", args.target, args.binding) as report:
        test = None
        workers = None if args.executor is None else workers_of(args)
        if workers is not None:
            args.jobs = args.jobs or workers.count
        with session_of(args) as drive:
            if workers is not None:
                from memoracle.commands.drive_spread import spread_over

                drive.spread = spread_over(args, workers)
            if args.emit is None:
                trial = drive.found()
            else:  # what it needs takes a moment to load
                from memoracle.reproducers.emit import of_trial, refuse_form

                refuse_form(args.emit, drive.plan.called)
                trial = drive.found()
                test = of_trial(args.emit, drive.plan, trial, drive.geometry)
        result = trial.result
        cover = drive.cover.document if isinstance(drive, CoverSession) else None
        is_told = args.coverage or args.report or args.format != TEXT or not args.quiet
        found = watched(drive, trial, args.coverage) if is_told else None
        past = Past(checking(args.level).watched, tuple(trial.lines))
        run = run_of(args, drive, trial, past)
        report(replace(run, cover=cover, more=in_document(test), branches=found, whole=args.coverage))
    write_test(args, test)
    if result.fault is not None:
        say(f"memoracle: {result.fault}")
    return int(result.status)


def watched(drive: Session, trial: Trial, whole: bool) -> Exercised:
    """Which branches of the reference the replay of a trial takes. whole: of all its calls, however long that takes."""
    plan, runs = drive.plan, [trial.lines, *trial.others]
    limits = (None, None) if whole else (MOST_WATCHED, WATCHING)
    return exercised(plan.check, runs, len(plan.head), *limits)


def session_of(args: argparse.Namespace, made: object = None) -> Session:
    """What the options ask for. made: a Python object, or what makes one, that args.target is only the name of."""
    plan, geometry, name = planned(args, made)
    wanted = Wanted(
        args.ops or (MOST_CALLS if args.time else DEFAULT_CALLS),
        None if args.time is None else float(args.time),
        not args.no_misuse,
        args.jobs or 1,
    )
    seed = random.randrange(SEEDS) if args.seed is None else args.seed
    kind = CoverSession if args.cover else Session
    drive = kind(
        plan, geometry, Failures(name), seed, wanted, RandomCalls, lambda words: note(args, f"memoracle: {words}")
    )
    if isinstance(drive, CoverSession):
        most = args.ops or MOST_CALLS
        drive.cover = Cover(plan, geometry, wanted.misuse, most, wanted.seconds)
    return drive


def checking(level: str, keep_going: bool = False) -> Check:
    """`check` at this level, as it is asked of the trace of a run. keep_going: after a divergence, too."""
    parser = argparse.ArgumentParser()
    check.add_parser(parser.add_subparsers())
    options = ["--level", level, "--quiet", *(["--keep-going"] if keep_going else [])]
    checks = Check(parser.parse_args(["check", *options, "--", TRACE]))
    checks.geometry_of = geometry_of  # it may be large: it is what the user chose
    return checks


class Judge:
    """What holds a trace to the law, as `check` does it at this level. keep_going: after a divergence, too."""

    def __init__(self, level: str, keep_going: bool = False) -> None:
        self.checks = checking(level, keep_going)

    def __call__(self, lines: Iterator[bytes], begun: Begun = unwatched) -> check_report.TraceResult:
        self.checks.begun = None if begun is unwatched else begun
        return self.checks.outcomes_of(TRACE, lines)[0]

    def make_ready(self, header: dict[str, object]) -> None:
        """Makes what the next trace, with this header, is replayed with."""
        self.checks.make_ready(TRACE, ENCODE(header))


def planned(args: argparse.Namespace, made: object = None) -> tuple[Plan, Geometry, str]:
    """How the target is run, its geometry, and the name beside which failures are kept. made: see session_of."""
    geometry = chosen_geometry(args)
    start: Callable[[], Target]
    called: Sequence[str] | str = args.target
    patience = args.call_time or PATIENCE
    binding_file = args.binding or (args.target if args.target.endswith(".toml") else None)
    if binding_file is not None:
        from memoracle.drive.binding_file import load_binding
        from memoracle.drive.library import Library

        binding = load_binding(binding_file, None if args.binding is None else args.target)
        if geometry is not None:
            binding = binding.with_geometry(stated_geometry(args.geometry))
        geometry = binding.geometry
        start = Library(binding, args.fill).start
        head, judge = binding.head(), Judge(args.level)
        ready = partial(judge.make_ready, head[0])
        in_turns = binding.in_turns and not args.cover
        plan = Plan(args.target, start, head, judge, patience, True, binding, ready, in_turns)
        return plan, geometry, str(Path(binding_file).with_suffix(""))
    header = header_of(args.geometry)
    geometry = geometry or preset(DEFAULT)
    if binding_file is None and args.target.endswith((".so", ".dylib")):
        raise InputError(args.target, None, "a shared library is driven as a binding says: --binding FILE.toml")
    is_object = made is not None or (":" in args.target and not exists(args.target))
    if is_object:
        from memoracle.drive.python_object import PythonObject

        start = partial(PythonObject, args.target, made)
        name = args.target.replace(":", ".")
    else:
        from memoracle.drive.program import Program

        called = command = shlex.split(args.target)
        if not command:
            raise InputError(args.target, None, "a command was expected")
        start = partial(Program, command, header)
        patience = args.call_time or PATIENCE_WITH_PROGRAMS
        name = next((each for each in reversed(command) if is_file(each)), Path(command[0]).name)
    judge = Judge(args.level)
    ready = partial(judge.make_ready, header)
    return Plan(args.target, start, (header,), judge, patience, is_object, called, ready), geometry, name


def header_of(chosen: str | None) -> dict[str, object]:
    """The header of a trace of this machine. chosen: by --geometry, if it is."""
    return {"memoracle": 1, "geometry": stated_geometry(chosen)}


def stated_geometry(chosen: str | None) -> str | dict[str, object]:
    """A geometry as a trace's header has it. chosen: by --geometry, if it is."""
    return chosen or DEFAULT if chosen is None or chosen in PRESETS else read_toml(chosen)[1]
