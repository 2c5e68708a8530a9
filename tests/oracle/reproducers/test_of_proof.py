"""What is refuted of the reference is written as a run of it that fails."""

from __future__ import annotations

import time

import pytest

from memoracle import check
from memoracle.cli import main
from memoracle.commands.drive import Judge
from memoracle.impl.bitmap import Bitmap
from memoracle.impl.buddy import Buddy
from memoracle.proofs.exhaustive import computations as small_runs
from memoracle.proofs.exhaustive.explore import run
from memoracle.reproducers import of_proof
from memoracle.reproducers.of_proof import found_within, of_refuted
from memoracle.reproducers.reference_trace import trace_of

BUDDY = """
from memoracle.impl.buddy import Buddy


def test_replay() -> None:
    # why
    buddy = Buddy(2)
    assert buddy.size(0) == 0
    assert buddy.reserve(2, 2) is True
    assert buddy.blocks() == []
    assert buddy.free(2, 2) is True
    assert buddy.free(2, 2) is False
    assert buddy.allocate(9) is None
    assert buddy.allocate(1) == 0
"""
FAILS = "def test_replay() -> None:\n    assert 1 == 2\n"


def test_a_test_that_fails_is_printed_and_no_other() -> None:
    exact = Judge("exact")
    found = of_refuted("pytest", {"other": "No small run of the reference fails.", "fake": FAILS}, exact)
    assert found is not None
    assert (found.text, found.said) == (FAILS, "it was run, and fails")
    passes = of_refuted("pytest", {"fake": FAILS.replace("2", "1")}, exact)
    assert passes is not None
    assert (passes.text, passes.said) == (None, "the test of fake passes, so that it is not printed")
    none = of_refuted("pytest", {"fake": "No small run of the reference fails."}, exact)
    assert none is not None
    assert none.text is None
    assert of_refuted("pytest", {}, exact) is None


def test_a_search_ends_in_time() -> None:
    def endless() -> str | None:
        while True:
            try:
                time.sleep(0.01)
            except Exception:  # as what is searched may do
                pytest.fail("it was taken for a failure")

    assert found_within(0.1, endless) == "No run of the reference that fails was found within 0.1 seconds."
    assert found_within(3600, lambda: FAILS) == FAILS


def test_a_fault_of_the_reference_is_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Bitmap.free

    def frees_twice(bitmap: Bitmap, frame: int) -> bool:
        honest(bitmap, frame)
        return True

    with monkeypatch.context() as faulty:
        faulty.setattr(Bitmap, "free", frees_twice)
        test = run(small_runs.SYSTEMS["bitmap"]["bitmap"]()).failure
        assert test is not None
        lines = trace_of("bitmap", test)
    assert check(lines, level="exact").divergences[0].finding.clause.startswith("bitmap.frees")


def test_each_call_of_a_range_is_an_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Buddy.allocate

    def takes_the_last(buddy: Buddy, pages: int) -> int | None:
        page = honest(buddy, pages)
        return page if page is None or pages > 1 or buddy.depth < 2 else page + 1

    with monkeypatch.context() as faulty:
        faulty.setattr(Buddy, "allocate", takes_the_last)
        lines = trace_of("buddy", BUDDY)
    assert [each.get("op") for each in lines] == [
        None,
        "range.size",
        "range.reserve",
        "range.list",
        "range.free",
        "range.free",
        "range.allocate",
        "range.allocate",
    ]
    found = check(lines, level="exact").divergences
    assert [(each.line, each.finding.clause) for each in found] == [(8, "range.allocate.policy")]


NOT_WHOLE = """
from memoracle.impl.buddy import Buddy


def test_replay() -> None:
    buddy = Buddy(2, 1, False)
    assert buddy.add(1, 3) is True
    assert buddy.add(-1, 1) is False
    assert buddy.allocate(0) is None
    assert buddy.allocate(2) == 2
    assert buddy.reserve(1, 1) is True
    assert buddy.reserve(0, 3) is False
    assert buddy.size(2) == 2
    assert buddy.free(2, 2) is True
    assert buddy.blocks() == []
"""


def test_pages_that_need_not_exist_are_frames_in_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = trace_of("buddy", NOT_WHOLE)
    assert not check(lines, level="exact").divergences
    operations = ["memory.add", "frame.allocate", "frame.reserve", "frame.free", *["frame.is_free"] * 4]
    assert [each["op"] for each in lines[2:]] == operations
    honest = Buddy.free

    def keeps(buddy: Buddy, page: int, pages: int) -> bool:
        return honest(buddy, page, pages) and buddy.reserve(page, 1)

    with monkeypatch.context() as faulty:
        faulty.setattr(Buddy, "free", keeps)
        lines = trace_of("buddy", NOT_WHOLE)
    assert [each.finding.clause for each in check(lines).divergences] == ["bitmap.tells-whether-free"]


def test_what_is_taken_at_start_is_in_the_geometry() -> None:
    fixed = "    buddy = Buddy(1)\n    assert buddy.fix(0, 1) is True\n    assert buddy.free(0, 1) is False\n"
    lines = trace_of("buddy", BUDDY.partition("    # why")[0] + fixed)
    assert lines[0]["geometry"]["kernel_reserved"] == [{"page": 0, "pages": 1}]
    assert not check(lines, level="exact").divergences
    freed = {key: value for key, value in lines[1].items() if key != "error"}
    assert [each.finding.clause for each in check([lines[0], freed]).divergences] == ["buddy.never-frees-fixed"]


def test_what_is_below_the_first_frame_is_left_out_of_a_trace() -> None:
    text = "from memoracle.impl.bitmap import Bitmap\n\n\n" + FAILS.replace(
        "assert 1 == 2", "bitmap = Bitmap(2, (), False)\n    bitmap.add(-1, 1)\n    assert bitmap.is_free(0) is True"
    )
    lines = trace_of("bitmap", text)
    assert [each["op"] for each in lines[1:]] == ["boot", "memory.add", "frame.is_free"]
    assert not check(lines, level="exact").divergences


def test_what_is_no_operation_is_said() -> None:
    exact = Judge("exact")
    for component, words in (("heap", "the calls of `heap`"), ("buddy", "no operation of a trace")):
        text = "from memoracle.impl.buddy import Buddy\n\n\n" + FAILS.replace(
            "assert 1", "buddy = Buddy(1)\n    assert buddy.add(-1, 1)"
        )
        found = of_refuted("trace", {component: text}, exact)
        assert found is not None
        assert found.text is None
        assert words in found.said


@pytest.mark.parametrize("form", ["c", "cpp-gtest", "rust", "kunit"])
def test_the_reference_is_not_called_from_other_languages(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", "pat", "--emit", form]) == 2
    assert "pytest or trace" in capsys.readouterr().err


def test_the_time_is_what_the_document_says() -> None:
    assert of_proof.SECONDS == 10
