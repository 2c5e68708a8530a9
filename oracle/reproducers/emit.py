"""A failure as a test in the form that was asked for; it is run first, and is none unless it fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from memoracle.drive.binding import Binding
from memoracle.drive.log import ENCODE
from memoracle.drive.trial import Plan, Trial
from memoracle.reproducers import c, cpp_gtest, kunit, pytest_calls, pytest_library, running, rust
from memoracle.reproducers.conditions import due_of
from memoracle.reproducers.due import RETURNS, Due
from memoracle.reproducers.failing_run import FailingRun, ReproducerError
from memoracle.reproducers.forms import CPP_GTEST, KUNIT, PYTEST, RUST, TRACE, C
from memoracle.reproducers.program import Program
from memoracle.reproducers.program_writer import CALLBACKS, REFUSALS, SYMBOLS, program
from memoracle.reproducers.recording import asked_again, from_trial
from memoracle.reproducers.reproducer import Reproducer
from memoracle.reproducers.running import FAILED, NOT_RUN, Verified
from memoracle.spec.geometry import Geometry
from memoracle.trace.hexadecimal import in_hexadecimal
from memoracle.trace.inputs import InputError

TEXTS: dict[str, Callable[[Program, FailingRun], str]] = {
    C: c.text,
    CPP_GTEST: cpp_gtest.text,
    RUST: rust.text,
    KUNIT: kunit.text,
    PYTEST: pytest_library.text,
}
RUNS: dict[str, Callable[[str, Binding, bool], Verified]] = {
    C: running.run_c,
    CPP_GTEST: running.run_cpp,
    RUST: running.run_rust,
    KUNIT: lambda text, binding, dies: Verified(NOT_RUN, "it needs a kernel"),
    PYTEST: lambda text, binding, dies: running.run_pytest(text),
}
CAN = {
    C: {CALLBACKS, SYMBOLS, REFUSALS},
    CPP_GTEST: {CALLBACKS, SYMBOLS, REFUSALS},
    RUST: {CALLBACKS, SYMBOLS},
    KUNIT: set[str](),
    PYTEST: {SYMBOLS},
}
LONG = 20  # calls
Command: TypeAlias = Sequence[str]
Called: TypeAlias = Binding | Command | str | None  # a library, a program, a Python object, or nothing but a recording


def refuse_form(form: str | None, called: Called) -> None:
    """Raises InputError for a form that what is called cannot have."""
    if form in (None, TRACE) or isinstance(called, Binding):
        return
    if called is None:
        raise InputError("--emit", None, f"a {form} test calls functions: --binding FILE.toml says which")
    if form != PYTEST:
        words = "it needs a shared library with a binding; of a program or a Python object there are pytest and trace"
        raise InputError("--emit", None, f"{form}: {words}")


def shorter(plan: Plan, run: FailingRun) -> FailingRun:
    """A run that is long for a test, with more calls left out than the time allowed before."""
    try:
        return run if len(run.events) <= LONG or run.asides else asked_again(plan, run)
    except ReproducerError:  # it depends on more than its calls
        return run


def of_trial(form: str, plan: Plan, trial: Trial, geometry: Geometry) -> Reproducer | None:
    """Of what failed of a target; None if nothing did."""
    if not trial.result.divergences:
        return None
    try:
        return reproducer(form, shorter(plan, from_trial(plan, trial)), plan.called, geometry)
    except ReproducerError as fault:
        return Reproducer(form, None, f"no {form} test can be written: {fault}")


def reproducer(form: str, run: FailingRun, called: Called, geometry: Geometry) -> Reproducer:
    """Raises InputError for a binding that cannot be read."""
    if form == TRACE:
        return _trace(run)
    try:
        due = due_of(run, geometry)
        text, verify = _written(form, run, called, due)
    except ReproducerError as fault:
        return Reproducer(form, None, f"no {form} test can be written: {fault}")
    found = verify(text)
    if found.outcome == FAILED:
        return Reproducer(form, text, "it was run, and fails")
    why = f" ({found.why})" if found.why else ""
    if found.outcome == NOT_RUN:
        return Reproducer(form, text, f"the {form} test was not run{why}")
    return Reproducer(form, None, f"the {form} test {found.outcome}{why}, so that it is not printed")


def _written(form: str, run: FailingRun, called: Called, due: Due) -> tuple[str, Callable[[str], Verified]]:
    if isinstance(called, Binding):
        text = TEXTS[form](program(called, run, due, CAN[form]), run)
        return text, lambda each: RUNS[form](each, called, due.kind == RETURNS)
    if isinstance(called, str):
        return pytest_calls.of_object(called, run, due), running.run_pytest
    if called is None:
        raise AssertionError
    return pytest_calls.of_program(called, run, due), running.run_pytest


def _trace(run: FailingRun) -> Reproducer:
    found = run.check([*run.head, *run.events]).divergences
    if not found or found[0].finding.clause != run.finding.clause:
        return Reproducer(TRACE, None, "the trace conforms when it is checked alone, so that it is not printed")
    lines = (ENCODE(each).decode() for each in (*run.head, *map(in_hexadecimal, run.events)))
    return Reproducer(TRACE, "".join(f"{line}\n" for line in lines), "it was checked, and diverges")
