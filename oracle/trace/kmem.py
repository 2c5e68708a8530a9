"""Linux's `kmem` events as text: ftrace's `trace`, `trace-cmd report` and `perf script`, since kernel 2.6.33.

    <...>-22275 [006] ....   889.213383: mm_page_alloc: page=00000000d2be5665 pfn=970744 order=0 migratetype=0 ...
    kworker/10:1-440 [010] .....   355.369905: mm_page_free: page=00000000dc8c03bd pfn=0x182190 order=2

The page is a hashed pointer, and the flags are for people: neither means anything here (include/trace/events/kmem.h).
Events of objects are read by `slab_events.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from msgspec import Struct

from memoracle.trace.inputs import InputError
from memoracle.trace.kmem_lines import ALLOC, CALL_SITE, FREE, KINDS, LOST, TwoEventsError, read_line
from memoracle.trace.plain_kmem_lines import PLAIN, PLAIN_ORDERS, PLAIN_SLAB
from memoracle.trace.quoting import shortened
from memoracle.trace.slab_events import SlabEvent, plain_slab_event, read_slab_event

FAMILY = re.compile(rb"(?:^|[\s:])(mm_page_\w+|mm_pagevec_free):(?:\s|$)")
PREAMBLE = re.compile(rb"# tracer: |cpus=\d+\s*$")  # of ftrace, of trace-cmd
BEGINS = re.compile(PREAMBLE.pattern + rb"|# captured on\s*:")  # a log, the last of perf
# Events of the allocator of objects, which stands above that of pages, as tracers and debuggers print them.
SLAB_EVENTS = (
    rb"kmalloc|kmalloc_node|kmem_cache_alloc|kmem_cache_alloc_node|kfree|kmem_cache_free|__kmalloc|kmalloc_trace"
)
SLAB = re.compile(rb"(?:^|[\s:])(" + SLAB_EVENTS + rb")\s*(?:" + CALL_SITE.pattern + rb"|:\s+0x[0-9a-f]+ \(size)")
# What stands beside an allocation or a free of pages and is none of its own.
BESIDE = {b"mm_page_free_batched", b"mm_pagevec_free", b"mm_page_alloc_zone_locked", b"mm_page_pcpu_drain"}
PFN = re.compile(rb"\spfn=(\S*)")
ORDER = re.compile(rb"\sorder=(\S*)")
NUMBER = re.compile(rb"0x[0-9a-fA-F]+|\d+")
PAGE = re.compile(rb"\spage=")
NULL_PAGE = re.compile(rb"\spage=\s*(?:\(null\)|\(nil\)|(?:0x)?0+)(?:\s|$)")
NO_PFN = (1 << 64) - 1  # what the kernel records for an allocation that failed; most print it as 0
DIGITS = 20  # of the largest 64-bit number
LONGEST_NAME = 40  # characters of an event's
PFN_BITS = 52  # of a 64-bit address in pages of 4 KiB


class KmemEvent(Struct, frozen=True, gc=False):
    """One allocation or free of 2^order pages of the kernel's base size, the first of them number pfn.

    A failed allocation has no pages: its pfn is 0.
    """

    kind: str
    pfn: int
    order: int
    failed: bool
    line: int

    @property
    def told(self) -> dict[str, object]:
        """The event as messages show it."""
        return {"op": f"mm_page_{self.kind}", "pfn": self.pfn, "order": self.order}


class KmemLog:
    """The events of a log that allocate or free pages or objects, in its order; iterate once.

    slab, others: how many events of each name were passed over so far, of the allocator of objects (in forms that
    do not say how large these are) and of any other.  no_events: lines passed over that hold none.  lost: lines so
    far at which the tracer says that it lost events.  restarts: how often another log begins in the text so far.
    """

    def __init__(self, path: str, lines: Iterable[bytes]) -> None:
        """path is for messages."""
        self.path = path
        self.lines = lines
        self.slab: Counter[str] = Counter()
        self.others: Counter[str] = Counter()
        self.no_events = 0
        self.lost = 0
        self.restarts = 0

    def __iter__(self) -> Iterator[KmemEvent | SlabEvent]:
        """Raises InputError for such an event that cannot be read."""
        has_begun, fits, orders = False, PLAIN.fullmatch, PLAIN_ORDERS
        for number, line in enumerate(self.lines, 1):
            plain = fits(line)
            if plain is not None:
                has_begun = True
                name, hexadecimal, decimal, order = plain.groups()
                page = int(decimal) if hexadecimal is None else int(hexadecimal, 16)
                yield KmemEvent(ALLOC if name == b"alloc" else FREE, page, orders[order], False, number)
                continue
            if (plain := PLAIN_SLAB.fullmatch(line)) is not None:
                has_begun = True
                yield plain_slab_event(plain, number)
                continue
            if BEGINS.match(line):
                self.restarts += has_begun
                has_begun = False
            for event in self.read(self.uncommented(line), number):
                has_begun = True
                yield event

    def uncommented(self, line: bytes) -> bytes:
        """What of a line is no comment: of one that says that events were lost, what follows that."""
        if PREAMBLE.match(line):
            return b""
        if not line.startswith(b"#"):
            return line
        mark = LOST.search(line)
        self.lost += mark is not None
        return line[mark.end() :] if mark else b""

    def read(self, line: bytes, number: int) -> Iterator[KmemEvent | SlabEvent]:
        """The event of a line that is no comment, if it is one of pages or objects."""
        if not line.strip():
            return
        try:
            said = read_line(line)
        except TwoEventsError as fault:
            raise InputError(self.path, number, f"two events in one line, where one a line is due: {fault}") from None
        self.lost += said.lost_before
        if said.event in KINDS:
            yield self.read_event(KINDS[said.event], said.fields, number)
        elif said.event is not None:
            yield read_slab_event(self.path, said.event, said.fields, number)
        elif said.other is not None or not said.lost_before:
            self.pass_over(line, said.other)
        self.lost += said.lost_after

    def pass_over(self, line: bytes, name: bytes | None) -> None:
        """Counts a line that holds no allocation or free; name: of its event, if it stands after a time."""
        if (slab := SLAB.search(line)) and name in (None, slab[1]):
            self.slab[slab[1].decode()] += 1
            return
        if name is None and (other := FAMILY.search(line)):
            name = other[1]
        if name is not None:
            if name not in BESIDE:
                self.others[shortened(name.decode("ascii", "replace"), LONGEST_NAME)] += 1
        else:
            self.no_events += 1

    def read_event(self, kind: str, fields: bytes, line: int) -> KmemEvent:
        pfn = self.read_number(PFN, "pfn", fields, line)
        order = self.read_number(ORDER, "order", fields, line)
        if kind == ALLOC and (pfn == NO_PFN or (pfn == 0 and says_no_page(fields))):
            return KmemEvent(kind, 0, order, True, line)
        if order >= PFN_BITS or pfn + (1 << order) > 1 << PFN_BITS:
            raise InputError(self.path, line, f"{kind} of page {pfn}, order {order}: beyond 64-bit addresses")
        return KmemEvent(kind, pfn, order, False, line)

    def read_number(self, pattern: re.Pattern[bytes], field: str, fields: bytes, line: int) -> int:
        found = pattern.findall(fields)
        if len(found) == 1 and len(found[0]) <= DIGITS and NUMBER.fullmatch(found[0]):
            return int(found[0], 16) if found[0].startswith(b"0x") else int(found[0])
        words = f"page event that has {field}= twice" if found[1:] else f"page event without a readable {field}="
        raise InputError(self.path, line, f"{words}: {fields.decode('utf-8', 'replace').strip()!r}")


def says_no_page(fields: bytes) -> bool:
    """Whether the page is null, or left out; a page number of 0 alone may be the first frame's."""
    return NULL_PAGE.search(fields) is not None or PAGE.search(fields) is None


def looks_like_kmem(line: bytes) -> bool:
    """Whether a line holds an event of pages or of objects, or begins a tracer's output."""
    return any(found(line) for found in (FAMILY.search, SLAB.search, PREAMBLE.match))
