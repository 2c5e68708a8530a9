from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from memoracle.diagnostics.levels import Rules
from memoracle.replay.frames.frames import FrameReplay
from memoracle.spec.geometry import preset
from memoracle.trace import events as recorded

PAGE = 1 << 21
MAP = [{"start": 0, "length": 8 * PAGE, "type": 1}, {"start": 4 * PAGE + 5, "length": 1, "type": 2}]  # frames 2, 3, 5-7
LEVELS = ("safe", "legal", "exact")


def op(name: str, **keys: Any) -> dict[str, Any]:
    return {"op": name} | keys


def allocate(frame: int, **keys: Any) -> dict[str, Any]:
    return op("frame.allocate", result=hex(frame * PAGE), **keys)


def free(frame: int, **keys: Any) -> dict[str, Any]:
    return op("frame.free", address=frame * PAGE, **keys)


def boot(*records: tuple[object, object, object], **keys: Any) -> dict[str, Any]:
    fields = "start", "length", "type"
    return op("boot", memory_map=[dict(zip(fields, record, strict=True)) for record in records], **keys)


BOOT = op("boot", memory_map=MAP)
FIVE = [allocate(2), allocate(3), allocate(5), allocate(6), allocate(7)]
NO_MEMORY = op("frame.allocate", error="out of memory")

CONFORMS = {
    "every frame is usable without boot": [op("frame.free_count", result=14)],
    "boot": [BOOT, op("frame.free_count", result=5)],
    "an empty memory map": [boot(), op("frame.free_count", result=0), NO_MEMORY],
    "boot refuses a negative number": [boot((-1, 5, 1), error="bad"), op("frame.free_count", result=14)],
    "boot refuses 65 bits": [boot((0, "0x10000000000000000", 1), error="bad")],
    "a record past 2^64 ends there": [boot(("0xfffffffffff00000", "0xfffffffffff00000", 1)), NO_MEMORY],
    "a second boot is refused": [BOOT, op("boot", memory_map=MAP, error="again")],
    "a boot that comes late is refused": [allocate(2), op("boot", memory_map=MAP, error="late")],
    "allocate all, then fail": [BOOT, *FIVE, NO_MEMORY],
    "allocate, free, allocate": [BOOT, allocate(2), free(2), allocate(2)],
    "frees that are refused": [
        BOOT,
        allocate(2),
        free(0, error="image"),
        free(1, error="image"),
        free(3, error="free"),
        free(4, error="missing"),
        free(16, error="outside"),
        op("frame.free", address=-PAGE, error="negative"),
        op("frame.free", address=2 * PAGE + 4096, error="misaligned"),
        op("frame.free_count", result=4),
    ],
    "is_free": [
        BOOT,
        allocate(2),
        op("frame.is_free", address=hex(2 * PAGE + 77), result=False),
        op("frame.is_free", address=hex(3 * PAGE + 77), result=True),
        op("frame.is_free", address=4 * PAGE, result=False),
        op("frame.is_free", address=0, result=False),
        op("frame.is_free", address=16 * PAGE, error="outside"),
        op("frame.is_free", address=-1, error="outside"),
    ],
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("events", CONFORMS.values(), ids=CONFORMS.keys())
def test_conforms(check: Callable[..., Any], events: list[dict[str, Any]], level: str) -> None:
    report = check(events, "--level", level)
    assert (report.status, report.broken, report.document["verdict"]) == (0, [], "conforms")
    assert (report.document["events"], report.document["level"]) == (len(events), level)


# Each ends with the event that breaks the clause.
UNSAFE = {
    "allocated twice": ([BOOT, allocate(2), allocate(2)], "bitmap.allocates-only-free"),
    "allocated that does not exist": ([BOOT, allocate(4)], "bitmap.allocates-only-free"),
    "allocated of the image": ([BOOT, allocate(1)], "bitmap.allocates-only-free"),
    "allocated beyond the bitmap": ([allocate(16)], "bitmap.allocates-only-free"),
    "allocated below 0": ([op("frame.allocate", result=-PAGE)], "bitmap.allocates-only-free"),
    "allocated past 2^64": ([op("frame.allocate", result="0x10000000000400000")], "bitmap.allocates-only-free"),
    "allocated amid a frame": ([op("frame.allocate", result=2 * PAGE + 8)], "addresses.address-is-aligned"),
    "allocated when none is free": ([BOOT, *FIVE, allocate(5)], "bitmap.allocates-only-free"),
    "freed twice": ([allocate(2), free(2), free(2)], "bitmap.frees-only-allocated"),
    "freed that does not exist": ([BOOT, free(4)], "bitmap.frees-only-existing"),
    "freed of the image": ([free(1)], "bitmap.frees-only-what-may-be-free"),
    "freed beyond the bitmap": ([free(16)], "bitmap.frame-is-in-reach"),
    "freed below 0": ([free(-1)], "bitmap.frame-is-in-reach"),
    "freed amid a frame": ([allocate(2), op("frame.free", address=2 * PAGE + 1)], "addresses.address-is-aligned"),
}
ILLEGAL = {
    "boot twice": ([BOOT, BOOT], "boot.boot-comes-first"),
    "boot takes a negative number": ([boot((-1, 5, 1))], "boot.record-has-64-bits"),
    "boot takes a type of 65 bits": ([boot((0, 5, 1 << 64))], "boot.record-has-64-bits"),
    "boot fails": ([op("boot", memory_map=MAP, error="x")], "boot.must-succeed"),
    "allocation fails": ([BOOT, *FIVE[:-1], NO_MEMORY], "frame.allocate.must-succeed"),
    "free fails": ([allocate(2), free(2, error="x")], "frame.free.must-succeed"),
    "is_free of a free frame": ([op("frame.is_free", address=2 * PAGE, result=False)], "bitmap.tells-whether-free"),
    "is_free of an allocated one": (
        [allocate(2), op("frame.is_free", address=2 * PAGE, result=True)],
        "bitmap.tells-whether-free",
    ),
    "is_free beyond the bitmap": ([op("frame.is_free", address=16 * PAGE, result=False)], "bitmap.frame-is-in-reach"),
    "is_free fails": ([op("frame.is_free", address=5, error="x")], "frame.is_free.must-succeed"),
    "free_count": ([BOOT, op("frame.free_count", result=6)], "bitmap.tells-the-count"),
    "free_count fails": ([op("frame.free_count", error="x")], "frame.free_count.must-succeed"),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("events", "clause"), UNSAFE.values(), ids=UNSAFE.keys())
def test_unsafe(check: Callable[..., Any], events: list[dict[str, Any]], clause: str, level: str) -> None:
    report = check(events, "--level", level)
    assert (report.status, report.document["verdict"]) == (1, "diverges")
    assert report.broken == [(len(events) + 1, clause)]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("events", "clause"), ILLEGAL.values(), ids=ILLEGAL.keys())
def test_illegal_but_safe(check: Callable[..., Any], events: list[dict[str, Any]], clause: str, level: str) -> None:
    report = check(events, "--level", level)
    assert report.broken == ([] if level == "safe" else [(len(events) + 1, clause)])


def test_only_the_reference_takes_the_lowest_frame(check: Callable[..., Any]) -> None:
    events = [allocate(15), allocate(2)]
    assert check(events, "--level", "legal").status == 0
    report = check(events, "--level", "exact", "--keep-going")
    assert report.broken == [(2, "frame.allocate.policy")]
    assert report.document["divergences"][0]["legal"] == "frame 2 (0x400000)"


def test_message_names_the_earlier_line(check: Callable[..., Any]) -> None:
    found = check([BOOT, allocate(3), allocate(2), allocate(3, _cpu=4)]).document["divergences"][0]
    assert found["message"] == "frame 3 is already allocated (by line 3)"
    assert found["legal"] == "any of 3 free frames"
    assert found["event"] == {"op": "frame.allocate", "result": "0x600000", "_cpu": 4}
    assert found["before"] == {
        "frame": 3,
        "state": "allocated",
        "line": 3,
        "first": 0,
        "bits": "0000011100000000",
        "free_frames": 3,
    }
    assert found["after"] == found["before"]


def test_lines_past_32_bits_are_not_remembered() -> None:
    replay = FrameReplay(Rules(preset("x64-2m")))
    event = recorded.FrameAllocate(result=2 * PAGE)
    assert replay.allocate(event, 1 << 32) is None
    found = replay.allocate(event, (1 << 32) + 1)
    assert found is not None
    assert found.message == "frame 2 is already allocated"


def test_keep_going_adopts_what_is_seen(check: Callable[..., Any]) -> None:
    events = [
        op("frame.is_free", address=2 * PAGE, result=False),
        op("frame.free_count", result=13),
        op("frame.is_free", address=2 * PAGE, result=True),
        op("frame.free_count", result=14),
        BOOT,
        op("frame.free_count", result=5),
    ]
    report = check(events, "--keep-going")
    clause = "bitmap.tells-whether-free"
    assert report.broken == [(2, clause), (6, "boot.boot-comes-first")]
    assert report.document["events"] == 6


class TestTrusting:
    geometry = {"preset": "x64-2m", "frames": 16, "frame_free": "trusting"}  # noqa: RUF012

    @pytest.mark.parametrize("level", LEVELS)
    def test_spurious_free_is_a_warning(self, check: Callable[..., Any], level: str) -> None:
        events = [BOOT, allocate(2), free(2), free(2), free(4), op("frame.free_count", result=6)]
        report = check(events, "--level", level, geometry=self.geometry)
        assert report.status == 0
        told = [warning.split("trace.jsonl:")[1] for warning in report.document["warnings"]]
        assert told == [
            "5: spurious free: frame 2 is already free (freed by line 4)",
            "6: spurious free: frame 4 does not exist: it is not usable memory",
        ]

    def test_frame_that_never_existed_is_handed_out(self, check: Callable[..., Any]) -> None:
        assert check([BOOT, free(4), allocate(4)], geometry=self.geometry).status == 0

    def test_image_is_refused(self, check: Callable[..., Any]) -> None:
        report = check([free(0, error="x"), free(1)], geometry=self.geometry)
        assert report.broken == [(3, "bitmap.frees-only-what-may-be-free")]

    def test_refusal_is_a_divergence(self, check: Callable[..., Any]) -> None:
        assert check([free(2, error="free already")], geometry=self.geometry).broken == [(2, "frame.free.must-succeed")]


class TestPrivateFrames:
    @pytest.mark.parametrize("level", LEVELS)
    def test_fewer_frames_than_the_trace_explains(self, check: Callable[..., Any], level: str) -> None:
        events = [
            BOOT,
            op("frame.is_free", address=2 * PAGE, result=False),
            op("frame.free_count", result=3),
            allocate(7),
            op("frame.allocate", error="none left"),
            op("process.create", error="no frame for its table"),
        ]
        assert check(events, "--level", level, private_frames=True).status == 0

    @pytest.mark.parametrize("level", ["legal", "exact"])
    def test_never_more(self, check: Callable[..., Any], level: str) -> None:
        events = [
            BOOT,
            allocate(2),
            op("frame.is_free", address=2 * PAGE, result=True),
            op("frame.free_count", result=6),
        ]
        report = check(events, "--level", level, "--keep-going", private_frames=True)
        assert report.broken == [(4, "bitmap.calls-free-only-the-free"), (5, "bitmap.counts-only-the-free")]


def test_boot_names_the_record_that_has_no_64_bits(check: Callable[..., Any]) -> None:
    (found,) = check([boot((0, 5, 1), (4096, -1, 1))]).document["divergences"]
    assert found["message"] == "the memory map was accepted, with memory_map[1], of -0x1 bytes from 0x1000"
