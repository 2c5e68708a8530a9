"""What a verdict depends on: at least every module that runs while it is settled."""

from __future__ import annotations

import sys
from functools import partial
from inspect import unwrap
from pathlib import Path
from types import FrameType

import pytest

from memoracle.proofs import dependencies, registry
from memoracle.proofs.dependencies import SOURCES, modules, owner
from memoracle.proofs.obligations.obligation import Computation, Obligation
from memoracle.proofs.obligations.process_pool import Failure, run_each
from memoracle.proofs.symbolic.execution import explore

QUICK = ("pat", "kernel_half")  # the others take minutes
DEAR = ("emulator", "depth-3", "count.")  # what takes long; it runs the same modules as smaller ones do


def modules_run(obligation: Obligation | Computation) -> set[str]:
    """The modules whose code runs while a claim is settled."""
    files = {str(source.path): name for name, source in SOURCES.items()}
    seen: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            seen.add(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        if isinstance(obligation, Computation):
            obligation.run()
        else:
            for run in explore(obligation.sorts, obligation.body, obligation.integers):
                list(run.hypotheses(obligation.rounds))
    finally:
        sys.setprofile(None)
    return {files[file] for file in seen if file in files}


def undeclared(component: str) -> list[str]:
    """The modules that run for a component, and that its verdicts are not said to depend on."""
    found = []
    for obligation in registry.obligations([component]):
        if any(part in obligation.name for part in DEAR):
            continue
        made_by = unwrap(obligation.body if isinstance(obligation, Obligation) else obligation.run).__module__
        found += [f"{obligation.name}: {name}" for name in modules_run(obligation) - modules(component, made_by)]
    return found


@pytest.mark.parametrize("component", QUICK)
def test_a_verdict_depends_on_every_module_that_runs(component: str) -> None:
    [(_, found)] = run_each([partial(undeclared, component)])
    assert not isinstance(found, Failure)
    assert found == []


def test_it_depends_on_the_law_the_code_the_proofs_and_the_machinery() -> None:
    due = modules("buddy", "memoracle.proofs.components.buddy.code")
    assert {"spec.buddy", "spec.clauses", "impl.buddy", "proofs.components.buddy.law"} <= due
    assert {"proofs.symbolic.loops", "proofs.obligations.solver", "proofs.obligations.reach"} <= due


def test_it_does_not_depend_on_other_components() -> None:
    due = modules("pat", "memoracle.proofs.components.pat")
    assert {owner(name) for name in due} == {"pat", None}
    due = modules("bitmap", "memoracle.proofs.exhaustive.computations")
    assert not {"impl.heap", "impl.manager", "proofs.components.heap.code"} & due


def test_rules_of_the_text_depend_on_all_of_it() -> None:
    due = modules("pat", "memoracle.proofs.rules.computations")
    assert {name for name in SOURCES if name.startswith("impl.")} <= due


def test_what_a_module_imports_is_found_wherever_it_stands() -> None:
    assert "proofs.registry" in dependencies.imports("proofs.mutation.seeding")  # within a function
    assert {"proofs", "proofs.symbolic", "proofs.symbolic.numbers"} <= dependencies.imports("proofs.symbolic.execution")


@pytest.fixture
def a_file(tmp_path: Path) -> dependencies.Source:
    path = tmp_path / "some.py"
    path.write_text("one")
    return dependencies.Source(path, "one", dependencies.stamp(path))


def test_a_file_that_was_changed_is_not_as_it_was_read(a_file: dependencies.Source) -> None:
    assert a_file.is_as_read()
    a_file.path.write_text("two!")
    assert not a_file.is_as_read()


def test_a_file_that_is_gone_is_not_as_it_was_read(a_file: dependencies.Source) -> None:
    a_file.path.unlink()
    assert not a_file.is_as_read()
