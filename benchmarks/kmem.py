"""Page events of a kmem log a second: of `check`, of the peer that anybody would write, and of reading alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from random import Random

import msgspec

from benchmarks.heap import best
from benchmarks.workloads import PAGE, runs
from memoracle.diagnostics.levels import LEGAL, SAFE
from memoracle.impl.boot import USABLE, Record
from memoracle.replay.kmem.kmem import KmemReplay
from memoracle.trace.kmem import KmemLog
from memoracle.trace.kmem_lines import ALLOC

BITS = 20  # of the machine's pages
NAMES = {SAFE: "kmem log, mid-run", LEGAL: "kmem log, from boot"}


@dataclass(frozen=True)
class KmemSpeeds:
    """Events a second."""

    name: str
    check: float
    plain: float
    reading: float


def lines() -> Iterator[bytes]:
    """Blocks of pages are handed out and given back, without end, as ftrace prints it; the same at every call."""
    for number, event in enumerate(runs(BITS, True, Random(BITS))):
        said = msgspec.json.decode(event)
        address = said.get("address", said.get("result"))
        if address is None:
            continue
        name, flags = (
            ("free", b"") if "address" in said else ("alloc", b" migratetype=1 gfp_flags=GFP_KERNEL|__GFP_COMP")
        )
        place = b"pfn=%#x order=%d" % (int(address, 16) // PAGE, said["count"].bit_length() - 1)
        time_stamp = b"%d.%06d" % divmod(number, 1_000_000)
        task = b"     kworker/0:1-9       [000] .....  "
        yield task + time_stamp + b": mm_page_" + name.encode() + b": page=00000000d2be5665 " + place + flags + b"\n"


class PlainPages:
    """The pages that were told of, in a dictionary: whether each is in use. It answers yes or no, and nothing more."""

    def __init__(self) -> None:
        self.in_use: dict[int, bool] = {}

    def accepts(self, allocates: bool, pfn: int, order: int) -> bool:
        pages = range(pfn, pfn + (1 << order))
        if pfn % len(pages) or any(self.in_use.get(page) is allocates for page in pages):
            return False
        self.in_use.update(dict.fromkeys(pages, allocates))
        return True


def kmem_speeds(events: int) -> Iterator[KmemSpeeds]:
    """Measures each way to check so many events; raises AssertionError if one refuses a log that conforms."""
    recorded = list(islice(lines(), events))
    plain, reading = (events / best(way, recorded) for way in (modelled, read))
    for level, name in NAMES.items():
        records = None if level == SAFE else [Record(0, PAGE << BITS, USABLE)]

        def checked(recorded: list[bytes], records: list[Record] | None = records, level: str = level) -> None:
            assert not list(KmemReplay(name, records, level).divergences(KmemLog(name, recorded)))  # noqa: B023

        yield KmemSpeeds(name, events / best(checked, recorded), plain, reading)


def modelled(recorded: list[bytes]) -> None:
    plain = PlainPages()
    assert all(plain.accepts(event.kind == ALLOC, event.pfn, event.order) for event in KmemLog("kmem", recorded))


def read(recorded: list[bytes]) -> None:
    for _ in KmemLog("kmem", recorded):
        pass
