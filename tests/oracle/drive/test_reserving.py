"""What is reserved is given back, and memory is added where some is missing: neither fills memory for good."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from memoracle.cli import main
from memoracle.diagnostics.levels import Rules
from memoracle.drive.generation.arguments import Arguments
from memoracle.drive.generation.frames import Frames
from memoracle.drive.generation.law import Law
from memoracle.drive.generation.others import Others
from memoracle.drive.generation.recent import Recent
from memoracle.drive.target import Answer
from memoracle.replay.dispatch import Replay
from memoracle.trace.decoding import EVENT
from memoracle.trace.geometry import geometry_from

PAGE = 4096
FRAMES = 256
TARGET = """
PAGE, FRAMES = 4096, 256


class Pool:
    def __init__(self):
        self.used = set()

    def frame_allocate(self, count):
        for first in range(FRAMES - count + 1):
            frames = set(range(first, first + count))
            if count and not frames & self.used:
                self.used |= frames
                return first * PAGE
        raise ValueError("full")

    def frame_reserve(self, address, count):
        first = address // PAGE
        frames = set(range(first, min(first + count, FRAMES + 1)))
        if address % PAGE or not count or first + count > FRAMES or frames & self.used:
            raise ValueError("refused")
        self.used |= frames

    def frame_free(self, address, count):
        first = address // PAGE
        frames = set(range(first, min(first + count, FRAMES + 1)))
        if address % PAGE or not frames or not frames <= self.used:
            raise ValueError("refused")
        self.used -= frames
"""


def test_frames_are_still_allocated_where_frames_are_reserved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reservations were never given back: after some fifty calls nothing was free, and all requests were refused."""
    (tmp_path / "reserving.py").write_text(TARGET)
    (tmp_path / "runs.toml").write_text(
        f'preset = "x64-4k"\nframes = {FRAMES}\nnever_free = []\nframe_allocator = "runs"\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    options = ["--geometry", "runs.toml", "--seed", "1", "--ops", "1500", "--format", "json", "--quiet"]
    assert main(["drive", "reserving:Pool", *options]) == 0
    asked = json.loads(capsys.readouterr().out)["coverage"]["operations"]
    done = {operation: each["events"] - each["failed"] for operation, each in asked.items()}
    assert done["frame.allocate"] > 200
    assert done["frame.reserve"] > 100
    assert done["frame.free"] > 200


@pytest.mark.parametrize(
    ("keys", "gives", "freed"),
    [
        ({}, {"address"}, [(16, {}), (17, {}), (18, {}), (19, {})]),
        ({"frame_allocator": "runs"}, {"address", "count"}, [(16, {"count": 4})]),
        ({"frame_allocator": "runs"}, {"address"}, [(16, {}), (17, {}), (18, {}), (19, {})]),
        ({"frame_allocator": "runs", "frame_free_parts": "whole"}, {"address"}, [(16, {})]),
        ({"frame_allocator": "buddy"}, {"address", "order"}, [(16, {"order": 2})]),
    ],
    ids=["single", "runs", "runs one by one", "whole runs", "buddy"],
)
def test_what_was_reserved_is_given_back_as_the_target_names_it(
    keys: dict[str, str], gives: set[str], freed: list[tuple[int, dict[str, int]]]
) -> None:
    geometry = geometry_from({"preset": "x64-4k", "frames": FRAMES, "never_free": [], **keys})
    frames = Frames({"frame.allocate": frozenset(), "frame.free": frozenset(gives)}, geometry, Random(1))
    frames.learn("frame.reserve", {"address": 16 * PAGE, "count": 4}, Answer(error="refused"))
    assert not frames.live
    frames.learn("frame.reserve", {"address": 16 * PAGE, "count": 4}, Answer())
    assert frames.live.blocks == [(frame * PAGE, extent) for frame, extent in freed]


def test_no_block_is_given_back_that_an_order_cannot_name() -> None:
    geometry = geometry_from({"preset": "x64-4k", "frames": FRAMES, "never_free": [], "frame_allocator": "buddy"})
    frames = Frames({"frame.allocate": frozenset(), "frame.free": frozenset({"address", "order"})}, geometry, Random(1))
    for address, count in ((0, 3), (2 * PAGE, 4)):
        frames.learn("frame.reserve", {"address": address, "count": count}, Answer())
    assert not frames.live


@pytest.mark.parametrize("allocator", ["single", "runs", "buddy"])
def test_memory_is_added_where_some_is_missing_until_none_is(allocator: str) -> None:
    keys = {"preset": "x64-4k", "frames": FRAMES, "never_free": [], "frame_allocator": allocator}
    geometry = geometry_from(keys)
    replay = Replay(Rules(geometry), "trace")
    there = [{"start": 0, "length": 40 * PAGE, "type": 1}, {"start": 50 * PAGE, "length": 100 * PAGE, "type": 1}]
    boot = EVENT.decode(json.dumps({"op": "boot", "memory_map": there}).encode())
    assert replay.step(boot, 2) is None
    law, random = Law(replay), Random(1)
    operations = {"memory.add": frozenset({"start", "length"})}
    others = Others(operations, operations, (), Arguments(geometry, random, Recent(), [0]), random)
    missing = {*range(40, 50), *range(150, FRAMES)}
    for line in range(3, 6000):
        wish = others.wish(law)
        if wish is None:
            continue
        event = EVENT.decode(json.dumps({"op": wish[0], **wish[1]}).encode())
        assert replay.step(event, line) is None
        first, end = geometry.frames_within(wish[1]["start"], wish[1]["start"] + wish[1]["length"])
        missing -= set(range(first, end))
        if not missing:
            break
    assert not missing
    assert law.missing_frames(0) is None
