"""Events of objects in kmem logs, held to the law of the heap."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from kmem_events import HEADER, LOST, alloc

from memoracle.replay.kmem.kmem import KmemReplay
from memoracle.report.kmem_report import not_told
from memoracle.trace.kmem import KmemLog

FIRST = 0xFFFF888100001000


def new(ptr: int | str, asked: int = 64, given: int | None = None, name: str = "kmalloc") -> str:
    sizes = f"bytes_req={asked} bytes_alloc={asked if given is None else given} gfp_flags=GFP_KERNEL"
    return f"  sh-1 [000] .... 1.0: {name}: call_site=f+0x1/0x2 ptr={shown(ptr)} {sizes}"


def freed(ptr: int | str, name: str = "kfree") -> str:
    return f"  sh-1 [000] .... 1.0: {name}: call_site=f+0x1/0x2 ptr={shown(ptr)}"


def shown(ptr: int | str) -> str:
    return ptr if isinstance(ptr, str) else f"{ptr:016x}"


def cached(ptr: int, size: int = 64) -> str:
    return new(ptr, size, name="kmem_cache_alloc")


ELSEWHERE = FIRST + (1 << 20)
OTHER_FREES = [freed(ELSEWHERE), freed(ELSEWHERE + 64, "kmem_cache_free")]
HASH, OTHER_HASH = "00000000cef40c80", "0000000062400821"
CONFORMS = {
    "handed out and freed": [new(FIRST), freed(FIRST), new(FIRST), freed(FIRST)],
    "freed before it was seen": [freed(FIRST), new(FIRST), freed(FIRST)],
    "neighbours": [*OTHER_FREES, new(FIRST), new(FIRST + 64), new(FIRST - 64)],
    "smaller objects where a larger one was": [new(FIRST, 64), freed(FIRST), new(FIRST, 32), new(FIRST + 32, 32)],
    "aligned as the size that was asked for": [new(FIRST + 32, 96, 128), new(FIRST + 8, 29, 32)],
    "objects of a cache anywhere": [cached(FIRST + 8, 152), cached(FIRST + 4096 + 4, 12)],
    "objects at distances of a debugging kernel": [new(FIRST + 96, 64, 96)],
    "failed": [*OTHER_FREES, new("(null)"), new("(null)"), new("0x0"), new("0000000000000000")],
    "frees of nothing": [new(FIRST), *[freed(each) for each in ("  (null)", "0x0", "0000000000000010") * 2]],
    "hashes that overlap as addresses would": [*OTHER_FREES, new(HASH, 4096), new("00000000cef40c90"), new(OTHER_HASH)],
    "hashes of 32 bits": [new("c147dd20"), new("c147dd24", 32), new("3147dd21"), freed("c147dd24")],
    "forgotten where events were lost": [*OTHER_FREES, new(FIRST), LOST, new(FIRST), freed(FIRST), LOST, freed(FIRST)],
    "forgotten where another log begins": [new(FIRST), HEADER, new(FIRST), freed(FIRST), HEADER, freed(FIRST)],
    "forgotten where a pointer is withheld": [new(FIRST), freed("(____ptrval____)"), new(FIRST), freed(FIRST)],
}
NOT_RECORDED = {
    "free": [new(FIRST), new(FIRST), new(FIRST + 32, 32), cached(ELSEWHERE)],
    "allocation": [freed(FIRST), freed(FIRST), freed(FIRST), freed(ELSEWHERE, "kmem_cache_free")],
}
UNIQUE, DISJOINT, ALIGNED, LIVE = (
    "heap.address-is-unique",
    "heap.is-disjoint",
    "heap.is-aligned",
    "heap.deletes-a-live-block",
)
BY_LINE_3 = f"{FIRST:#x} (made by line 3)"
DIVERGES = {
    "handed out twice": (
        [*OTHER_FREES, new(FIRST), new(FIRST)],
        UNIQUE,
        f"{FIRST:#x} is the address of the live block of 64 bytes at {BY_LINE_3}",
    ),
    "handed out within another": (
        [*OTHER_FREES, cached(FIRST, 256), new(FIRST + 64)],
        DISJOINT,
        f"the 64 bytes at {FIRST + 64:#x} share {FIRST + 64:#x} with the live block of 256 bytes at {BY_LINE_3}",
    ),
    "handed out in what another was given besides": (
        [*OTHER_FREES, new(FIRST, 33, 64), cached(FIRST + 48, 8)],
        DISJOINT,
        f"the 8 bytes at {FIRST + 48:#x} share {FIRST + 48:#x} with the live block of 64 bytes at {BY_LINE_3}",
    ),
    "not aligned": ([new(FIRST + 32)], ALIGNED, f"the 64 bytes at {FIRST + 32:#x} are not aligned to 0x40"),
    "not aligned for its node": (
        [new(FIRST + 4, 29, 32, "kmalloc_node")],
        ALIGNED,
        f"the 32 bytes at {FIRST + 4:#x} are not aligned to 0x8",
    ),
    "freed twice": (
        [new(FIRST), freed(FIRST), freed(FIRST)],
        LIVE,
        f"the block at {FIRST:#x} was deleted already (by line 2)",
    ),
    "freed twice, and not seen handed out": (
        [new(ELSEWHERE), freed(FIRST), freed(FIRST)],
        LIVE,
        f"the block at {FIRST:#x} was deleted already (by line 2)",
    ),
    "freed inside": (
        [new(FIRST), freed(FIRST + 8)],
        LIVE,
        f"{FIRST + 8:#x} lies inside the live block of 64 bytes at {FIRST:#x} (made by line 1)",
    ),
    "a hash freed twice": (
        [new(HASH), freed(HASH), freed(HASH)],
        LIVE,
        "the block at 0xcef40c80 was deleted already (by line 2)",
    ),
    "a hash handed out twice": (
        [freed(OTHER_HASH), new(HASH), new(HASH)],
        UNIQUE,
        f"{HASH}, a hash of an address, is that of a live object (made by line 2)",
    ),
    "addresses of 32 bits": (
        [freed("c147dd80"), new("c147dd20", 29, 32), new("c147dd30", 29, 32)],
        DISJOINT,
        "the 32 bytes at 0xc147dd30 share 0xc147dd30 with the live block of 32 bytes at 0xc147dd20 (made by line 2)",
    ),
}


def findings(lines: list[str]) -> tuple[list[tuple[int, str, str]], list[str]]:
    """The line, clause and message of each divergence, and what is said besides."""
    replay = KmemReplay("trace.txt")
    found = list(replay.divergences(KmemLog("trace.txt", (line.encode() + b"\n" for line in lines))))
    return [(each.line, each.finding.clause, each.finding.message) for each in found], not_told(replay.slab)


@pytest.mark.parametrize("lines", CONFORMS.values(), ids=CONFORMS.keys())
def test_conforms(lines: list[str]) -> None:
    assert findings(lines)[0] == []


@pytest.mark.parametrize(("lines", "clause", "message"), DIVERGES.values(), ids=DIVERGES.keys())
def test_diverges(lines: list[str], clause: str, message: str) -> None:
    assert findings(lines)[0] == [(len(lines), clause, message)]


@pytest.mark.parametrize(("event", "lines"), NOT_RECORDED.items(), ids=NOT_RECORDED.keys())
def test_what_may_not_be_recorded_is_no_fault_and_said(event: str, lines: list[str]) -> None:
    found, said = findings(lines)
    assert found == []
    assert said == [
        f"no {event} is recorded, so objects may be {'freed' if 'free' in event else 'handed out'} unseen;"
        f" that some were {'handed out' if 'free' in event else 'freed'} twice is no fault (2)"
    ]


def test_what_is_recorded_later_makes_it_a_fault() -> None:
    lines = [new(FIRST), new(FIRST), alloc(16), alloc(16), freed(ELSEWHERE), freed(FIRST), freed(FIRST), freed(FIRST)]
    assert [line for line, _, _ in findings(lines)[0]] == [4, 2, 8]  # each owner gives it back


def test_not_all_findings_are_kept_until_an_event_makes_them_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memoracle.replay.kmem.premises.MOST_HELD", 2)
    found, said = findings([*[new(FIRST)] * 5, freed(ELSEWHERE)])
    assert [line for line, _, _ in found] == [2, 3]
    assert said == ["2 findings before the first free are left out"]


def test_pages_and_objects_are_both_held() -> None:
    lines = [new(FIRST), alloc(16), freed(FIRST), alloc(16), freed(FIRST)]
    assert [(line, clause) for line, clause, _ in findings(lines)[0]] == [(4, "runs.run-is-free"), (5, LIVE)]


def test_hashes_are_said() -> None:
    _, said = findings([new(HASH), freed(HASH), freed("(ptrval)")])
    assert said == [
        "2 pointers of objects are hashes: neither where objects lie nor how they are aligned is judged",
        "1 event of objects has no pointer: what was known of objects before each is forgotten",
    ]


@pytest.mark.parametrize("hashed", [False, True])
def test_whether_pointers_of_32_bits_are_hashes_shows_later(hashed: bool) -> None:
    """One that no kernel of 32 bits can have makes all of them hashes; what was known of each stays known."""
    overlapping = [freed("c1480000"), new("c1470000"), new("c1470010", 16)]
    enough = [new(f"c149{place:04x}") for place in range(0, 64 * 8, 64)]
    twice = [new("c1470010", 16)]
    lines = [*overlapping, *([new("01234567")] if hashed else enough), *twice]
    expected = [(len(lines), UNIQUE)] if hashed else [(3, DISJOINT), (len(lines), UNIQUE)]
    assert [(line, clause) for line, clause, _ in findings(lines)[0]] == expected


@pytest.mark.parametrize("seed", range(4))
def test_a_log_of_a_right_allocator_conforms_and_one_wrong_event_is_found(seed: int) -> None:
    chance = random.Random(seed)
    places = {FIRST + (place << 8): 8 << place % 6 for place in range(40)}
    live = {place for place in places if chance.random() < 0.5}
    names = Counter[int]()
    lines = [new(ELSEWHERE), cached(ELSEWHERE + 4096), freed(ELSEWHERE), freed(ELSEWHERE + 4096, "kmem_cache_free")]
    faults: list[tuple[int, str, int]] = []
    seen: set[int] = set()
    for _ in range(300):
        place = chance.choice(list(places))
        by_cache = place >> 8 & 1
        if place in live:
            if place in seen:
                faults.append((len(lines), new(place, places[place]), place))
            lines.append(freed(place, "kmem_cache_free" if by_cache else "kfree"))
        else:
            if names[place]:
                faults.append((len(lines), freed(place, "kmem_cache_free" if by_cache else "kfree"), place))
            lines.append(cached(place, places[place]) if by_cache else new(place, places[place]))
            seen.add(place)
        names[place] += 1
        live ^= {place}
    assert findings(lines)[0] == []
    for index, wrong, _ in chance.sample(faults, 12):
        found = findings([*lines[:index], wrong, *lines[index:]])[0]
        assert [line for line, _, _ in found][:1] == [index + 1]
