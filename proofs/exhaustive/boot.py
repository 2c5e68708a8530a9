"""Has the reference read every small memory map, and holds the result to the law."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations, product

from memoracle.impl.boot import Interval, Record, boot, usable_pages
from memoracle.proofs.abstraction.objects import frames_of
from memoracle.proofs.exhaustive.explore import remark
from memoracle.proofs.exhaustive.finite_states import Domain, broken, seen, settled
from memoracle.proofs.exhaustive.systems import bitmap_domain, every_in_reach
from memoracle.proofs.processor_time import SECONDS, limits_of_calls
from memoracle.spec import bitmap as bitmap_law
from memoracle.spec import boot as law
from memoracle.spec.clauses import Number, Truth

SCOPE = "bounded: up to three records on the bounds of 8 bytes at either end of memory, pages of 1, 2 and 4 bytes"
SHIFTS = (0, 1, 2)
BYTES = 8  # a window at either end of memory is looked at, and a byte in between
FRAMES, NEVER_FREE = 3, ((1, 2),)


def never_free(frame: Number) -> Truth:
    """Whether a frame is among those that never are free."""
    return (NEVER_FREE[0][0] <= frame) & (frame < NEVER_FREE[0][1])


def memory_maps() -> Iterator[list[Record]]:
    """Shorter lists first."""
    low = [Record(start, length, kind) for start, length, kind in product(range(5), range(5), (1, 2))]
    high = [Record(law.TOP - below, length, kind) for below, length, kind in product((1, 4, 8), (1, 4, 9), (1, 2))]
    few = [record for record in low if record.start in (0, 1, 2, 4) and record.length in (1, 2, 4)]
    yield []
    yield from ([record] for record in (*low, *high))
    yield from (list(pair) for pair in (*product(few, few), *product(high, high)))
    yield from ([Record(0, BYTES, 1), *pair] for pair in combinations(few, 2))


def read_by_law(records: Sequence[Record], page_shift: int) -> tuple[law.Map, Domain]:
    """What a map means by the law, if every page is usable whose bytes allow it; and the addresses to look at."""
    state = law.unread(page_shift)
    for record in records:
        state = law.read(state, *record)
    data = [*range(BYTES), 1 << 32, *range(law.TOP - BYTES, law.TOP)]
    pages = sorted({byte >> page_shift for byte in data})
    if_usable = settled(replace(state, is_usable=lambda page: True))

    def spoilt(page: Number, byte: Number) -> bool:
        clauses = (law.usable_pages_are_covered, law.usable_pages_are_unclaimed)
        return not all(clause(if_usable, page, byte) for clause in clauses)

    within: dict[Number, list[int]] = {}  # no other byte spoils a page, as the clauses say
    for byte in data:
        within.setdefault(law.page_of(if_usable, byte), []).append(byte)
    flaws = {page: next((byte for byte in within[page] if spoilt(page, byte)), page << page_shift) for page in pages}
    usable = {page for page, byte in flaws.items() if not spoilt(page, byte)}
    read = replace(if_usable, is_usable=lambda page: page in usable, flaw=flaws.__getitem__)
    return settled(read), Domain({"page": pages, "byte": data}, {"is_usable": ("page",)})


def failure_of(records: list[Record], page_shift: int) -> str | None:
    """The test to paste and run that shows where the reference reads a map otherwise than the law; None if nowhere."""
    lawful, domain = read_by_law(records, page_shift)
    pages = domain.points["page"]
    due = [page for page in pages if lawful.is_usable(page)]
    runs: list[Interval] = []
    with limits_of_calls() as limit:
        try:
            limit(SECONDS)
            runs = usable_pages(records, page_shift)
            bitmap = boot(records, page_shift, FRAMES, NEVER_FREE)
        except Exception as raised:
            return _test(records, page_shift, f"it raises {type(raised).__name__}: {raised}", due)
    read = settled(replace(lawful, is_usable=lambda page: any(start <= page < end for start, end in runs)))
    lost = broken(law.POSTCONDITIONS, read, domain)
    if lost is not None:
        where = ", ".join(f"{name} {value}" for name, value in lost[1].items())
        return _test(records, page_shift, f"{lost[0].name}: {lost[0].says} ({where})", due)
    expected = bitmap_law.empty(FRAMES, never_free)
    for page in due:
        expected = every_in_reach(expected, page, page + 1)
    if seen(frames_of(bitmap), bitmap_domain(bitmap)) != seen(expected, bitmap_domain(bitmap)):
        return _test(records, page_shift, "usable pages that may be free, and no others, become free frames", due)
    return None


def _test(records: list[Record], page_shift: int, why: str, due: Sequence[int]) -> str:
    free = [page for page in due if page < FRAMES and not never_free(page)]
    return (
        "from memoracle.impl.boot import Record, boot, usable_pages\n\n\n"
        "def test_replay() -> None:\n" + "".join(f"    {line}\n" for line in remark(why)) + f"    records = {records}\n"
        f"    bitmap = boot(records, {page_shift}, {FRAMES}, {NEVER_FREE})\n"
        f"    pages = {_window(records, page_shift)}\n"
        f"    runs = usable_pages(records, {page_shift})\n"
        f"    assert [page for page in pages if any(start <= page < end for start, end in runs)] == {list(due)}\n"
        f"    assert [frame for frame in range({FRAMES}) if bitmap.is_free(frame)] == {free}\n"
        f"    assert bitmap.count() == {len(free)}\n"
    )


def _window(records: list[Record], page_shift: int) -> range:
    """The pages at the end of memory that the records are about."""
    first = 0 if any(record.start < BYTES for record in records) else law.TOP - BYTES >> page_shift
    return range(first, first + (BYTES >> page_shift))


def replay() -> str | None:
    """The first map, shortest lists first, that the reference reads otherwise than the law."""
    tried = ((records, shift) for records in memory_maps() for shift in SHIFTS)
    return next(filter(None, (failure_of(records, shift) for records, shift in tried)), None)
