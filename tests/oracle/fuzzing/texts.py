"""Events that are made up: nearly right, and now and then what they must not be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

from msgspec.structs import fields

from fuzzing.mutation import COMMANDS, mutated
from memoracle.trace.events import AnyEvent

SMALL: dict[str, Any] = {"frames": 16, "process_range": {"start": 0, "pages": 16}}
PAGE = 1 << 21
ODD = [-1, 1 << 47, 1 << 62, (1 << 64) - 1, 1 << 64, "0xffffffffffffffff", "0x" + "f" * 900, "0xg", 0.5, 1e300, -0.0]
ALPHABET = [*"ab01 \"'\\/<>&%:;{}[]\n\t\x00\x1b\x7f\x85\xa0é‮ ٣\ud800\U0001f600"]
TEXTS = ["", "write-back", "uncached", *(each.decode("utf-8", "replace") for each in COMMANDS)]
CACHES = ["write-back", "uncached", "warm"]
TRUTHS = {"present", "writable", "user", "leaf", "executable", "global", "release", "low_half"}
KINDS = [
    (kind.__struct_config__.tag, [field.encode_name for field in fields(kind)]) for kind in AnyEvent.__args__
]  # of events: the operation, and its keys
KEYS = """frames kernel_range heap_classes page_size kernel_reserved leaf_level zones direct_map frame_allocator
    range_allocator heap_arena never_free misuse frame_max_order heap_alignment""".split()  # noqa: SIM905
WORDS = ["single", "runs", "buddy", "partial", "whole", "natural", "refuse", "x64-2m", "x64-4k"]
GEOMETRIES: list[Any] = [
    SMALL,
    SMALL | {"frame_free": "trusting"},
    SMALL | {"frame_allocator": "runs", "range_allocator": "runs", "range_free": "partial"},
    SMALL | {"frame_allocator": "buddy", "frame_max_order": 2, "range_max_order": 2},
    SMALL | {"heap_arena": {"start": 1 << 40, "bytes": 4096, "overhead": 16, "minimum": 32}},
    SMALL | {"zones": [{"name": "<b>\x1b", "start": 0, "bytes": 8 * PAGE}], "direct_map": None},
    *("x64-4k", "x64-2m"),
]


def text(random: Random, most: int = 8) -> str:
    """A text that may be hostile."""
    if not random.randrange(3):
        return random.choice(TEXTS)
    return "".join(random.choice(ALPHABET) for _ in range(random.randrange(most + 1)))


def a_number(random: Random) -> Any:
    kind = random.randrange(4)
    if kind == 0:
        return random.randrange(9)
    if kind == 1:
        return random.randrange(17) * PAGE
    return random.choice(ODD) if kind == 2 else hex(0xFFFFFFFF00000000 + random.randrange(17) * PAGE)


def numbers(random: Random, most: int) -> list[Any]:
    return [a_number(random) for _ in range(random.randrange(most + 1))]


def junk(random: Random, depth: int = 0) -> Any:
    """Any JSON value."""
    kind = random.randrange(8)
    if kind < 2 and depth < 3:
        some = [junk(random, depth + 1) for _ in range(random.randrange(5))]
        return some if kind else {text(random, 6): each for each in some}
    return [None, True, False, a_number(random), a_number(random), text(random)][random.randrange(6)]


def record(random: Random) -> dict[str, Any]:
    return {"start": a_number(random), "length": a_number(random), "type": random.randrange(6)}


def argument(random: Random, name: str) -> Any:
    """What an event may have under a key."""
    if not random.randrange(20):
        return junk(random)
    if name == "cache":
        return random.choice(CACHES)
    if name == "memory_map":
        return [record(random) for _ in range(random.randrange(5))]
    if name in ("frames", "tables"):
        return numbers(random, 3)
    if name in ("error", "crash"):
        return text(random, 20)
    if name == "zone":
        return random.choice(["<b>\x1b", "dma", ["<b>\x1b"]])
    if name == "result":
        return [a_number, lambda _: bool(random.randrange(2)), lambda _: numbers(random, 3), junk][random.randrange(4)](
            random
        )
    return bool(random.randrange(2)) if name in TRUTHS else a_number(random)


def event(random: Random) -> dict[str, Any]:
    """An event that has most of what it needs, and now and then what it must not have."""
    operation, keys = random.choice(KINDS)
    found: dict[str, Any] = {"op": operation}
    outcome = random.choice(["result", "result", "error", "crash"])
    for name in keys:
        if name in ("result", "error", "crash") and name != outcome:
            continue
        if random.randrange(10):
            found[name] = argument(random, name)
    if not random.randrange(10):
        found[random.choice(["_x", "x", "process", "op", "_cpu", text(random)])] = junk(random)
    return found


def header(random: Random) -> dict[str, Any]:
    kind = random.randrange(3)
    if kind == 0:
        return {"memoracle": junk(random), "geometry": junk(random)}
    if kind == 1:
        value = [a_number, junk, lambda _: numbers(random, 3), lambda _: random.choice(WORDS)][random.randrange(4)](
            random
        )
        return {"memoracle": 1, "geometry": SMALL | {random.choice(KEYS): value}}
    return {"memoracle": 1, "geometry": random.choice(GEOMETRIES), "private_frames": bool(random.randrange(2))}


def as_lines(head: Any, body: Sequence[Any]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in [head, *body])


def made_up(random: Random) -> bytes:
    """A trace of events."""
    return as_lines(header(random), [event(random) for _ in range(random.randrange(25))])


def overlapping(random: Random) -> bytes:
    """A recording of two processors, whose calls overlap."""
    ready, found = [0, 0], list[dict[str, Any]]()
    for _ in range(random.randrange(1, 9)):
        cpu = random.randrange(2)
        call = ready[cpu] + random.randrange(4)
        ready[cpu] = call + random.randrange(1, 6)
        times = {"_cpu": cpu, "_call": call, "_return": ready[cpu]}
        if not random.randrange(12):
            times[random.choice([*times])] = junk(random)
        found.append(event(random) | times)
    return as_lines(random.choice(GEOMETRY_HEADERS), found)


GEOMETRY_HEADERS = [{"memoracle": 1, "geometry": each} for each in GEOMETRIES]


def as_text(random: Random, sources: Sequence[str]) -> str:
    """What a user may type: an argument of a process holds no NUL, but bytes that are no UTF-8."""
    found = mutated(random, [each.encode() for each in sources])
    return found.replace(b"\0", b"").decode("utf-8", "surrogateescape")
