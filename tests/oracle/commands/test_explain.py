"""`memoracle explain`: every name is found, and what is said of it is so."""

from __future__ import annotations

import importlib
import io
import itertools
import json
import re
from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from memoracle.cli import main
from memoracle.diagnostics.divergence import MUST_NOT_CRASH, MUST_SUCCEED, NO_CRASH, PREFERS
from memoracle.explain.entries import explained
from memoracle.explain.index import Index
from memoracle.explain.references import mentions
from memoracle.explain.report import lacks_proof, write
from memoracle.proofs import registry
from memoracle.proofs.contracts import crosshair
from memoracle.proofs.obligations import law_obligations
from memoracle.spec import bitmap as law
from memoracle.spec.clauses import Clause
from memoracle.trace.events import OPERATIONS

ROOT = Path(__file__).parents[3]
DECLARED = re.compile(r"^@(clause|operation)\(.*?^def (\w+)\(", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def index() -> Index:
    return Index()


@pytest.fixture(autouse=True)
def same_index(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command makes no index of its own: what it says is the same, and each takes a second."""
    monkeypatch.setattr("memoracle.explain.index.Index", lambda: index)


def explain(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(["explain", *arguments])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def names(index: Index, name: str, relation: str) -> list[str]:
    """What an explanation says that something has to do with, by name."""
    explanation = explained(index, name)
    assert explanation is not None
    return [entry.name for entry in explanation.related[relation]]


def line_of(source: str) -> str:
    path, _, line = source.rpartition(":")
    return (ROOT / path).read_text(encoding="utf-8").splitlines()[int(line) - 1].strip()


# Every name is found


def test_every_clause_and_operation_declared_in_spec_is_explained_where_it_stands(index: Index) -> None:
    declared = 0
    for path in sorted((ROOT / "spec").glob("*.py")):
        module = importlib.import_module(f"memoracle.spec.{path.stem}")
        for kind, function in DECLARED.findall(path.read_text(encoding="utf-8")):
            named = getattr(module, function)
            found = explained(index, index.names_in_law[named])
            assert found is not None
            assert (found.kind, found.says) == (kind, named.says)
            assert line_of(str(found.source)).startswith(f"@{kind}(")
            assert f"def {function}(" in found.text
            declared += 1
    assert declared == len(index.law) > 100


def test_every_obligation_is_explained(index: Index) -> None:
    for obligation in registry.obligations([]):
        found = explained(index, obligation.name)
        assert found is not None
        if found.kind == "obligation":
            fails = "it fails, as it should, that " if obligation.kind == "expected-refutation" else ""
            assert (found.says, found.source) == (fails + obligation.claim, obligation.source)
        else:  # a theorem's clause has the theorem's name
            assert obligation.name in [entry.name for entry in found.related["obligations"]]


def test_every_contract_is_explained(index: Index) -> None:
    assert list(index.contracts) == crosshair.public_functions()
    for name, function in index.contracts.items():
        found = explained(index, f"impl.{name}")
        assert found is not None
        assert found.kind == "contract"
        assert found == explained(index, name) or f"impl.{name}" in names(index, name, "namesakes")
        told = [line.strip() for line in found.text.splitlines()]
        conditions = [line.strip() for line in (function.function.__doc__ or "").splitlines() if "post:" in line]
        assert [line for line in told if "post:" in line] == conditions


def test_every_operation_of_a_trace_is_explained(index: Index) -> None:
    for op in OPERATIONS:
        found = explained(index, op)
        assert found is not None
        assert str(found.facts["event"]).split()[0] == op


def test_every_rule_that_the_tests_of_check_expect_is_explained(index: Index) -> None:
    parts = {name.partition(".")[0] for name in index.names}
    tests = (ROOT / "tests" / "oracle" / "replay").rglob("test_*.py")
    written = "".join(path.read_text(encoding="utf-8") for path in tests)
    expected = {name for name in re.findall(r'"([a-z_]+\.[a-z_.-]*-[a-z-]*)"', written) if name.split(".")[0] in parts}
    assert {name.rpartition(".")[2] for name in expected} > {MUST_SUCCEED}
    assert [name for name in sorted(expected) if explained(index, name) is None] == []


def test_whatever_is_named_can_be_told(index: Index) -> None:
    for name, format_ in zip(index.names, itertools.cycle(("text", "json")), strict=False):
        found, out = explained(index, name), io.StringIO()
        assert found is not None
        write(Namespace(format=format_), found, out)
        assert found.name in out.getvalue()


# What is said is so


@pytest.mark.parametrize("component", registry.LAWS)
def test_what_a_law_owes_of_an_invariant_and_an_operation_is_told_of_it(index: Index, component: str) -> None:
    of = registry.LAWS[component]
    for clause in of.invariants:
        short = law_obligations.short(clause)
        owed = {f"{component}.{law_obligations.short(each)}.keeps-{short}" for each in of.operations}
        owed |= {f"{component}.initially.{short}", f"{component}.{short}.is-needed"}
        assert owed <= set(names(index, clause.name, "obligations"))
    for operation in of.operations:
        owed = {
            f"{component}.{law_obligations.short(operation)}.keeps-{law_obligations.short(clause)}"
            for clause in of.invariants
        }
        name = index.names_in_law[operation]
        assert owed <= set(names(index, name, "obligations"))
        assert names(index, name, "guard") == [clause.name for clause in operation.guard]
        for clause in operation.guard:
            assert name in names(index, clause.name, "guards")


@pytest.mark.parametrize("component", registry.LAWS)
def test_what_a_law_says_is_spoken_of_by_an_obligation(index: Index, component: str) -> None:
    of = registry.LAWS[component]
    guards = {clause for operation in of.operations for clause in operation.guard}
    told = [explained(index, clause.name) for clause in {*of.invariants, *of.theorems, *guards}]
    assert [each.name for each in told if each is None or lacks_proof(each)] == []


def test_an_operation_names_the_code_that_refines_it(index: Index) -> None:
    assert names(index, "frame.free", "code") == ["bitmap.Bitmap.free", "slab.Slab.give"]  # a slab has a bitmap
    assert names(index, "range.free", "code") == ["buddy.Buddy.free", "buddy.Buddy.free_block"]
    assert names(index, "range.reserve", "code") == [
        "buddy.Buddy.reserve",
        "buddy.Buddy.reserve_block",
        "buddy.Buddy.fix",
    ]
    assert names(index, "process.create", "code") == ["kernel_half.KernelHalf.create"]
    assert "bitmap.free.refines" in names(index, "bitmap.Bitmap.free", "obligations")


def test_an_obligation_names_what_it_is_about(index: Index) -> None:
    assert names(index, "buddy.split.keeps-bounds", "about") == ["buddy.split"]
    assert names(index, "bitmap.free.keeps-never-free-frames-exist", "about") == [
        "bitmap.never-free-frames-exist",
        "frame.free",
    ]


def test_a_clause_names_the_operations_of_a_trace_that_ask_it(index: Index) -> None:
    assert names(index, "bitmap.frees-only-allocated", "checked_in") == ["frame.free"]
    assert "pml4.read" in names(index, "kernel_half.reads-the-entry", "checked_in")


def test_operations_are_found_by_their_component_too(index: Index) -> None:
    assert explained(index, "buddy.free") == explained(index, "range.free")


def test_rules_that_are_no_clauses(index: Index) -> None:
    found = explained(index, f"frame.allocate.{MUST_SUCCEED}")
    assert found is not None
    assert found.says.endswith(law.allocate.says)
    assert names(index, f"frame.allocate.{PREFERS}", "operation") == ["frame.allocate"]
    assert explained(index, f"boot.{MUST_SUCCEED}") is not None
    assert explained(index, f"frame.free.{PREFERS}") is None


def test_that_no_call_may_crash_is_told_of_every_operation(index: Index) -> None:
    for operation in OPERATIONS:
        found = explained(index, f"{operation}.{MUST_NOT_CRASH}")
        assert found is not None
        assert found.says == NO_CRASH


def test_of_what_nothing_proves_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    index = Index()
    index.obligations = {}
    found = explained(index, "bitmap.never-free-frames-exist")
    assert found is not None
    assert lacks_proof(found)
    write(Namespace(format="text"), found, out := io.StringIO())
    assert out.getvalue().endswith("No obligation is about it.\n")


def test_what_the_oracle_asks_is_found_through_the_objects_that_it_knows(index: Index) -> None:
    asked = names(index, "kernel_pages.allocate", "asks")
    assert {"kernel_pages.frames-suffice", "bitmap.allocates-only-free", "buddy.block-is-free"} <= set(asked)
    assert "manager.frames-suffice-for-kernel-pages" in names(index, "kernel_pages.allocate", "obligations")
    assert "buddy.block-is-free" not in names(index, "range.list", "asks")  # a message names it, nothing asks


# The command


def test_a_clause_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = explain(capsys, "bitmap.frees-only-allocated")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert re.fullmatch(r"clause bitmap\.frees-only-allocated \(spec/bitmap\.py:\d+\)", lines[0])
    assert "    return neg(s.is_free(frame))" in out
    assert "It guards\n  frame.free " in out


def test_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = explain(capsys, "--format", "json", "frame.allocate")
    found: dict[str, Any] = json.loads(out)
    assert status == 0
    keys = ["memoracle", "command", "name", "kind", "says", "source", "text"]
    facts = ["reported_as", "points", "chooses", "event"]
    assert list(found) == [*keys, *facts, "guard", "obligations", "used_by", "code", "checked_in", "namesakes"]
    assert [found[key] for key in keys[:4]] == [1, "explain", "frame.allocate", "operation"]
    event = "frame.allocate [alignment] [from] [below] [count] [order] [zone] -> result"
    assert (found["points"], found["chooses"], found["event"]) == (["frame"], ["frame"], event)
    kinds = {entry["name"]: entry["kind"] for entry in found["obligations"]}
    assert kinds["bitmap.allocate.refines"] == "refinement"
    assert kinds["bitmap.allocate.keeps-bounds"] == "invariant"


@pytest.mark.parametrize("component", registry.COMPONENTS)
def test_a_component_lists_what_it_has(capsys: pytest.CaptureFixture[str], component: str) -> None:
    status, out, _ = explain(capsys, "--format", "json", component)
    found = json.loads(out)
    assert (status, found["kind"]) == (0, "component")
    listed = [entry["name"] for entry in found["obligations"]]
    assert listed == [obligation.name for obligation in registry.obligations([component])]


@pytest.mark.parametrize(
    ("name", "near"),
    [("bitmap.frees-only-alocated", "bitmap.frees-only-allocated"), ("frees-only", "frees-only-"), ("BUDDY", "buddy,")],
)
def test_an_unknown_name_is_status_2_and_names_what_is_like_it(
    capsys: pytest.CaptureFixture[str], name: str, near: str
) -> None:
    status, out, err = explain(capsys, "--format", "json", name)
    assert (status, out) == (2, "")
    assert err.startswith(f"memoracle: explain: nothing is called '{name}'; near it: ")
    assert near in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["?", "gibberish", "a free frame"])
def test_where_nothing_is_like_it_the_components_are_named(capsys: pytest.CaptureFixture[str], name: str) -> None:
    components = ", ".join(sorted(registry.COMPONENTS))
    said = f"nothing is called '{name}'; the components list what they have: {components}"
    assert explain(capsys, name) == (2, "", f"memoracle: explain: {said}\n")


@pytest.mark.parametrize("name", ["bitmap.allocates-only-free", "frame.allocate.must-succeed", "pml4.read"])
def test_a_name_may_stand_in_the_brackets_in_which_check_prints_it(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert explain(capsys, f"[{name}]") == explain(capsys, name)
    assert explain(capsys, f"[{name}]")[0] == 0


def test_the_common_options(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    report = tmp_path / "report"
    assert explain(capsys, "--output", str(report), "--geometry", "x64-4k", "buddy.split") == (0, "", "")
    assert report.read_text(encoding="utf-8").startswith("operation buddy.split (spec/blocks.py:")
    assert explain(capsys, "--geometry", "pdp-11", "buddy.split")[0] == 2


# What code speaks of


class Asker:
    """An object with a method that speaks of the law."""

    def __init__(self) -> None:
        self.law_of_free = law.free

    def ask(self, state: Any) -> list[Any]:
        return [self.law_of_free.broken(state) for _ in range(2)]


def test_a_function_speaks_of_what_it_names_and_what_that_is_made_of() -> None:
    def asks(state: Any) -> Any:
        return law.hands_out_once(state, 0) & state.free(law)

    found = mentions(asks)
    assert found.itself == {law.hands_out_once}
    assert found.beyond == {law.allocates_only_free}


def test_a_function_speaks_of_what_it_was_made_with() -> None:
    def asks(each: Any, state: Any) -> Any:
        return each(state)

    def made(*clauses: Clause) -> Any:
        return lambda state: [asks(each, state) for each in clauses]

    assert mentions(made(law.never_free_frames_exist)).itself == {law.never_free_frames_exist}
    assert mentions(partial(asks, law.add)).itself == {law.add}
    assert mentions(partial(asks, law.add)).beyond == set(law.add.guard)


def test_a_method_speaks_of_what_its_object_holds() -> None:
    found = mentions(Asker().ask)
    assert found.itself == {law.free}
    assert found.beyond == set(law.free.guard)


def test_a_variable_is_not_what_the_law_has_under_its_name() -> None:
    def asks(state: Any) -> Any:
        free = state.free

        def inner() -> Any:
            return free

        return inner, [law for law in state if law]

    assert mentions(asks).itself == set()


def test_a_variable_is_what_it_was_given() -> None:
    class Unpacks(Asker):
        def ask(self, state: Any) -> list[Any]:
            mine, again = self, state
            return [mine.law_of_free, again]

    assert mentions(Unpacks().ask).itself == {law.free}


def test_what_is_given_or_taken_by_a_star_is_read() -> None:
    def gives(state: Any) -> Any:
        first, second = law.add, *state
        return first, second

    def takes(state: Any) -> Any:
        first, *others = law.add, law.free, state
        return first, others

    assert mentions(gives).itself == {law.add}
    assert mentions(takes).itself == {law.add, law.free}


def test_what_is_only_compared_with_is_not_asked() -> None:
    def asks(clause: Any) -> Any:
        return clause is law.never_free_frames_exist or clause is not law.free, law.add

    assert mentions(asks).itself == {law.add}


def test_functions_of_one_line_are_told_apart() -> None:
    first, second = (lambda state: law.add.broken(state)), (lambda state: law.free.broken(state))
    assert [mentions(each).itself for each in (first, second)] == [{law.add}, {law.free}]
