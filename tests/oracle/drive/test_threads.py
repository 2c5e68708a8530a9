"""A library that several threads call at once."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from memoracle import check
from memoracle.cli import main
from memoracle.drive.generation.shared_misuse import SharedMisuse
from memoracle.drive.generation.shared_pages import SharedPages
from memoracle.drive.sessions import threads
from memoracle.drive.target import Answer
from memoracle.trace.geometry import geometry_from

TARGETS = Path(__file__).parents[3] / "examples" / "targets"
OF_PAGES = {"page.map", "page.unmap", "page.translate"}
KERNEL = 0xFFFF_FFFF_8000_0000
ENOUGH = "300"  # seconds, in which a race shows many times
BINDING = (TARGETS / "shared.toml").read_text()


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Compiles the allocator with a fault, and returns its binding."""

    def built(fault: str) -> Path:
        folder = tmp_path_factory.mktemp(fault)
        library = folder / "shared.so"
        subprocess.run(
            ["cc", "-O1", "-shared", "-fPIC", "-pthread", f"-DFAULT={fault}", TARGETS / "shared.c", "-o", library],
            check=True,
        )
        binding = folder / "shared.toml"
        binding.write_text(BINDING)
        return binding

    return built


def driven(capsys: pytest.CaptureFixture[str], binding: Path, *options: str) -> tuple[int, dict[str, Any]]:
    status = main(["drive", str(binding), "--threads", "6", "--format", "json", "--quiet", "--seed", "1", *options])
    return status, json.loads(capsys.readouterr().out)


def test_a_library_with_a_lock_conforms(capsys: pytest.CaptureFixture[str], build: Callable[[str], Path]) -> None:
    status, document = driven(capsys, build("NOTHING"), "--ops", "1500")
    assert (status, document["verdict"]) == (0, "conforms")
    assert document["calls"] >= 1500
    assert document["concurrent"]["processors"] == 6
    operations = document["coverage"]["operations"]
    assert operations.keys() == {"frame.allocate", "frame.free", "frame.free_count", *OF_PAGES}
    # Some threads find that another one was there before.
    assert operations["page.map"]["failed"] > 0 < operations["page.unmap"]["failed"]
    # Frames are freed by two threads, and at addresses where none begins.
    assert operations["frame.free"]["failed"] > 0
    assert (
        driven(capsys, build("NOTHING"), "--ops", "300", "--no-misuse")[1]["coverage"]["operations"]["frame.free"][
            "failed"
        ]
        == 0
    )


@pytest.mark.parametrize(
    ("fault", "about"),
    [("NO_LOCK", {"frame", "page"}), ("LOOKS_FIRST", {"page"}), ("FREES_TWICE", {"frame"})],
    ids=["frames", "pages", "frees"],
)
def test_a_race_is_found(
    capsys: pytest.CaptureFixture[str], build: Callable[[str], Path], fault: str, about: set[str]
) -> None:
    binding = build(fault)
    status, document = driven(capsys, binding, "--time", ENOUGH)
    assert (status, document["verdict"]) == (1, "diverges")
    assert document["divergences"][0]["window"]
    assert document["divergences"][0]["event"]["op"].partition(".")[0] in about
    kept = list((binding.parent / "shared.threads.failures").glob("*.jsonl"))
    assert [check(path).verdict for path in kept] == ["diverges"]


def pages_of(place: int, refusing: frozenset[str], **keys: Any) -> SharedPages:
    geometry = geometry_from({"preset": "x64-4k", "frames": 64, "kernel_range": {"start": KERNEL, "pages": 64}, **keys})
    named = frozenset({"virtual", "physical", "process", "cache", "global"})
    operations = {"page.map": named, "page.unmap": frozenset({"virtual"})}
    return SharedPages(operations, refusing, geometry, Random(1), place, 4)


def test_threads_have_pages_of_their_own_and_common_ones() -> None:
    reserved = {"kernel_reserved": [{"page": 0, "pages": 8}], "never_free": [{"start": 0x5000, "bytes": 0x2000}]}
    refusing = frozenset({"page.map", "page.unmap"})
    mapped = set[int]()
    for place in range(4):
        pages = pages_of(place, refusing, **reserved)
        assert pages.common == [KERNEL + 8 * 4096, KERNEL + 9 * 4096]
        assert (len(pages.own), pages.frames) == (4, [0x5000, 0x6000])
        assert min(pages.own) > max(pages.common)
        assert not mapped.intersection(pages.own)
        mapped.update(pages.own)


def test_what_is_refused_in_any_order_is_misused() -> None:
    never_free = [{"start": 0x5000, "bytes": 0x2000}]
    machine = {"preset": "x64-4k", "frames": 64, "never_free": never_free, "misuse": {"heap.delete": "undefined"}}
    operations = {
        "frame.allocate": {"count"},
        "frame.free": {"count"},
        "range.free": {"pages", "process"},
        "heap.delete": set[str](),
    }
    named = {operation: frozenset(names) for operation, names in operations.items()}
    misuse = SharedMisuse(named, frozenset({*named, "kernel_pages.free"}), geometry_from(machine), Random(1))
    for operation, arguments, answer in (
        ("frame.allocate", {"count": 3}, Answer(0x3000)),
        ("frame.allocate", {"count": 4}, Answer(error="none")),
        ("range.allocate", {}, Answer(0x8000)),
        ("heap.new", {"bytes": 8}, Answer(0x9000)),
    ):
        misuse.learn(operation, arguments, answer)
    wishes = [misuse.wish() for _ in range(100)]
    assert {json.dumps(wish) for wish in wishes} == {
        json.dumps(["frame.free", {"address": 0x3008, "count": 3}]),
        json.dumps(["frame.free", {"address": 0x5000, "count": 1}]),
        json.dumps(["frame.free", {"address": 0x6000, "count": 1}]),
        json.dumps(["range.free", {"address": 0x8008, "pages": 1, "process": 0}]),
    }


def test_where_nothing_is_refused_no_page_is_mapped_twice() -> None:
    pages = pages_of(1, frozenset(), kernel_reserved=[], never_free=[])
    assert (pages.common, len(pages.frames)) == ([], 4)
    is_mapped = dict.fromkeys(pages.own, False)
    for _ in range(200):
        operation, arguments = pages.wish()
        page = arguments["virtual"]
        assert is_mapped[page] == (operation == "page.unmap")
        if operation == "page.map":
            assert (arguments["process"], arguments["cache"], arguments["global"]) == (0, "write-back", False)
        is_mapped[page] = operation == "page.map"
        pages.learn(operation, arguments, Answer())


def test_no_round_begins_after_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = threads.Rounds(1, until=5.0)
    monkeypatch.setattr(threads.time, "monotonic", lambda: 4.0)
    rounds.wait()
    assert not rounds.are_over
    monkeypatch.setattr(threads.time, "monotonic", lambda: 5.0)
    rounds.wait()
    assert rounds.are_over


@pytest.mark.parametrize(
    ("fault", "options", "says"),
    [("NEVER_UNLOCKS", ("--call-time", "1"), "no answer within 1 second"), ("CRASHES", (), "signal 11")],
)
def test_a_library_that_hangs_or_dies_is_found(
    capsys: pytest.CaptureFixture[str], build: Callable[[str], Path], fault: str, options: tuple[str, ...], says: str
) -> None:
    status, document = driven(capsys, build(fault), "--time", ENOUGH, *options)
    assert status == 1
    assert document["divergences"][0]["clause"].endswith(".must-not-crash")
    assert says in document["divergences"][0]["message"]


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        (("thread_safe = true", ""), (), "thread_safe: with --threads it must be true"),
        (("thread_safe = true", "thread_safe = 1"), (), "thread_safe: "),
        (("shared_init()", "shared_start()"), (), "shared_start"),
        (("", ""), ("--cover",), "not with --cover"),
        (("", ""), ("--threads", "1000"), "at most 64"),
    ],
)
def test_what_threads_cannot_call_is_refused(
    capsys: pytest.CaptureFixture[str],
    build: Callable[[str], Path],
    change: tuple[str, str],
    options: tuple[str, ...],
    says: str,
) -> None:
    binding = build("NOTHING")
    binding.write_text(BINDING.replace(*change) if change[0] else BINDING)
    assert main(["drive", str(binding), "--threads", "2", "--ops", "10", *options]) == 2
    assert says in capsys.readouterr().err


def test_a_program_has_no_threads(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drive", "json:loads", "--threads", "2"]) == 2
    assert "it needs a binding" in capsys.readouterr().err
