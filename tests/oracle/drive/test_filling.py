"""Memory is filled to the last: what is refused is asked for in smaller pieces, until the least is refused, too."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from memoracle.cli import main
from memoracle.drive.generation.frames import Frames
from memoracle.drive.generation.heap import Heap
from memoracle.drive.generation.kernel_pages import KernelPages
from memoracle.drive.generation.phases import AFTER_FULL, FULL, Phase
from memoracle.drive.generation.random_calls import RandomCalls
from memoracle.drive.generation.ranges import Ranges
from memoracle.drive.sessions import session
from memoracle.drive.target import Answer
from memoracle.trace.geometry import geometry_from

HERE = Path(__file__).parent
UNTIL_FULL = Phase(100, "any", FULL)
REFUSED = Answer(error="refused")
MOST, KERNEL = 64, 0xFFFF_FFFF_8000_0000
MACHINE = geometry_from(
    {
        "preset": "x64-4k",
        "frames": MOST,
        "frame_allocator": "runs",
        "never_free": [],
        "kernel_range": {"start": KERNEL, "pages": MOST},
        "kernel_reserved": [],
        "range_allocator": "runs",
        "heap_arena": {"start": 4096, "bytes": MOST, "overhead": 0, "minimum": 1},
    }
)
TAKES: dict[str, tuple[Callable[..., Any], str, str]] = {
    "frames": (Frames, "frame.allocate", "count"),
    "ranges": (Ranges, "range.allocate", "pages"),
    "kernel pages": (KernelPages, "kernel_pages.allocate", "pages"),
    "heap": (Heap, "heap.new", "bytes"),
}


def filling(made: Callable[..., Any], operation: str, *keys: str, geometry: Any = MACHINE) -> Any:
    family = made({operation: frozenset(keys)}, geometry, Random(1))
    family.stretches.phase, family.stretches.left = UNTIL_FULL, 10_000
    return family


@pytest.mark.parametrize("kind", TAKES)
def test_less_and_less_is_asked_for_until_nothing_is_left(kind: str) -> None:
    made, operation, key = TAKES[kind]
    family = filling(made, operation, key)
    family.stretches.greed = 0.5
    left, sizes, calls = MOST, [], 0
    while family.stretches.left and calls < 1000:
        asked, arguments = family.wish()
        size = arguments[key]
        assert (asked, set(arguments)) == (operation, {key})
        calls += 1
        if size <= left:
            family.learn(operation, arguments, Answer(left - size))
            left -= size
        else:
            family.learn(operation, arguments, REFUSED)
            sizes.append(size)
    assert (left, sizes[-1]) == (0, 1)
    assert family.stretches.now() in AFTER_FULL
    assert family.stretches.largest is None


def test_of_blocks_the_least_order_is_the_last() -> None:
    blocks = geometry_from({"frames": MOST, "frame_allocator": "buddy", "frame_max_order": 3})
    frames = filling(Frames, "frame.allocate", "order", geometry=blocks)
    frames.stretches.greed = 1.0
    orders = []
    while frames.stretches.left:
        _, arguments = frames.wish()
        orders.append(arguments["order"])
        frames.learn("frame.allocate", arguments, REFUSED)
    assert orders == [3, 2, 1, 0]


def test_nothing_else_limits_what_fills() -> None:
    frames = filling(Frames, "frame.allocate", "count", "alignment", "from", "below")
    ranges = filling(Ranges, "range.allocate", "pages", "alignment", "from", "below")
    size = MACHINE.page_size
    for family, start in ((frames, 0), (ranges, KERNEL)):
        for _ in range(20):
            _, arguments = family.wish()
            limits = (arguments["from"], arguments["below"], arguments["alignment"])
            assert limits == (start, start + MOST * size, size)


def test_one_process_is_filled_at_a_time() -> None:
    ranges = filling(Ranges, "range.allocate", "process", "pages")
    for process in range(1, 9):
        ranges.learn("process.create", {}, Answer(process))
    assert len({ranges.wish()[1]["process"] for _ in range(50)}) == 1
    ranges.filled = 3
    assert {ranges.wish()[1]["process"] for _ in range(50)} == {3}
    ranges.learn("process.exit", {"process": 3}, Answer())
    assert {ranges.wish()[1]["process"] for _ in range(50)} == {0}
    ranges.stretches.phase = Phase(100, "any")
    assert len({ranges.wish()[1]["process"] for _ in range(50)}) > 4


def test_what_must_be_refused_does_not_show_that_memory_is_full() -> None:
    target: Any = SimpleNamespace(
        operations={"range.allocate": frozenset({"pages"})}, refusing=frozenset({"range.allocate"})
    )
    calls: Any = RandomCalls(target, MACHINE, 1, 100, None, misuse=True)
    (ranges,) = calls.families
    ranges.stretches.phase, ranges.stretches.left = UNTIL_FULL, 9
    calls.is_misuse = True
    calls.learn("range.allocate", {"pages": 1}, REFUSED)
    assert ranges.stretches.left == 9
    calls.is_misuse = False
    calls.learn("range.allocate", {"pages": 1}, REFUSED)
    assert ranges.stretches.left == 0


def test_a_region_that_must_be_full_is_filled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of eight regions of 512 pages each, which fill evenly, in blocks of at most 16."""
    monkeypatch.setattr(session, "SHRINKING", 0.2)
    shutil.copy(HERE / "regions.toml", tmp_path)
    options = ["--seed", "1", "--ops", "6000", "--quiet", "--format", "json"]
    for fault, status in (("-DFAULT", 1), ("-DNOTHING", 0)):
        source, library = HERE / "regions.c", tmp_path / "regions.so"
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", fault, source, "-o", library], check=True)
        assert main(["drive", str(tmp_path / "regions.toml"), *options]) == status
        document = json.loads(capsys.readouterr().out)
        shutil.rmtree(tmp_path / "regions.failures", ignore_errors=True)
        if fault == "-DFAULT":
            assert document["divergences"][0]["clause"] == "buddy.block-is-free"
