"""What the pattern of plain lines finds in a line is what is found in it step by step."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memoracle.trace.inputs import InputError
from memoracle.trace.kmem import KmemEvent, KmemLog
from memoracle.trace.plain_kmem_lines import PLAIN, PLAIN_SLAB
from memoracle.trace.slab_events import Meaning, SlabEvent

DATA = Path(__file__).parents[2] / "data" / "kmem"
PLAIN_LINE = (
    "  kworker/u8:1-440   [010] .....   355.369905: mm_page_{}: page=00000000dc8c03bd pfn=0x182190 order=2"
    " migratetype=0 nr_free=3 gfp_flags=GFP_HIGHUSER|__GFP_ZERO\n"
)
PLAIN_OBJECT = (
    "  kworker/u8:1-440   [010] .....   355.369905: kmalloc: call_site=f+0x47/0x50 ptr=ffff88003dd83800"
    " bytes_req=768 bytes_alloc=1024 gfp_flags=GFP_KERNEL|__GFP_ZERO node=-1 accounted=false\n"
)
PIECES = st.lists(
    st.sampled_from(
        [
            "  ",
            " ",
            "",
            "#",
            "sh-1",
            "a b-2",
            "kworker/u8:0-17",
            "<...>-5",
            "PERF_RECORD_LOST",
            "12.5:",
            "mm_page_free:",
            "print:",
            "(-----)",
            "( 1234)",
            "[000]",
            "[LOST 2 EVENTS]",
            "....",
            "d..1.",
            "1.5:",
            "12us :",
            "22.498450:",
            "1 kmem:",
            "kmem:",
            "mm_page_alloc:",
            "kmem:mm_page_alloc:",
            "mm_page_free_direct:",
            "page=0x1",
            "page=00000000d2be5665",
            "page=(null)",
            "page=0",
            "pfn=0",
            "pfn=0x0",
            "pfn=00",
            "pfn=007",
            "pfn=0x10",
            "pfn=970744",
            "pfn=0xfffffffffffff",
            "pfn=99999999999999999999",
            "order=0",
            "order=00",
            "order=1",
            "order=10",
            "order=19",
            "order=52",
            "order=-1",
            "migratetype=1",
            "nr_free=3650",
            "gfp_flags=GFP_KERNEL|__GFP_ZERO",
            "gfp_flags=0x152c4a",
            "\n",
            "\t",
        ]
    ),
    max_size=14,
)
USUAL = st.tuples(
    st.sampled_from(["", "  ", "#", "CPU:2 [LOST 2 EVENTS] "]),
    st.sampled_from(
        ["sh-1", "kworker/u8:0-17", "a b-2", "mm_page_free:-3", "PERF_RECORD_LOST lost 1", "<...>-5", "12.5:"]
    ),
    st.sampled_from([" ", "  6429 ", " ( 1234) ", " (-----) "]),
    st.sampled_from(["[000] ", "[000] .... ", "[001] d..1. ", ".... "]),
    st.sampled_from(["1.5: ", "  22.498450: ", "12us : ", "1.5: kmem:", "1.5: 1 kmem:", "1.5 "]),
    st.sampled_from(["mm_page_alloc: ", "mm_page_free: ", "mm_page_free:    ", "mm_page_free_direct: ", "print: "]),
    st.sampled_from(["page=0x1 ", "page=00000000d2be5665 ", "page=(null) ", "page= (null) ", ""]),
    st.sampled_from(
        ["pfn=0 ", "pfn=0x0 ", "pfn=007 ", "pfn=0x10 ", "pfn=9 pfn=9 ", "pfn=0xffffffffffffffff ", "pfn=1x "]
    ),
    st.sampled_from(
        ["order=0", "order=00", "order=10", "order=19", "order=20", "order=52", "order=1 order=1", "order=x"]
    ),
    st.sampled_from(
        ["", " migratetype=1", " migratetype=0 nr_free=3", " migratetype=1 gfp_flags=GFP_KERNEL|0x8", " pfn=3"]
    ),
    st.sampled_from(["", "\n", " \n", "\r\n", " */\n", " mm_page_free: page=0 pfn=1 order=0\n", " [LOST 2 EVENTS]\n"]),
).map("".join)

SLAB = st.tuples(
    st.sampled_from(["", "  ", "#", "CPU:2 [LOST 2 EVENTS] "]),
    st.sampled_from(
        ["sh-1 [000] .... 1.5: ", "sh-1 [000] 1.5: kmem:", "perf 6 [000] 2.4: 1 kmem:", "1.5: ", "print: "]
    ),
    st.sampled_from(["kmalloc: ", "kmalloc_node:   ", "kmem_cache_alloc: ", "kfree: ", "kmem_cache_free: ", "kfree:"]),
    st.sampled_from(["call_site=f+0x1/0x2 ", "call_site=ffffffff92d10d97 ", "call_site=0x9 (-183) ", "text "]),
    st.sampled_from(
        [
            "ptr=ffff888100001000",
            "ptr=0xffff888100001000",
            "ptr=00000000cef40c80",
            "ptr=c147dd20",
            "ptr=  (null)",
            "ptr=0x0",
            "ptr=(____ptrval____)",
            "ptr=10",
            "ptr=x",
            "ptr=1 ptr=2",
            "ptr=12345678901234567",
            "",
        ]
    ),
    st.sampled_from(
        [
            "",
            " bytes_req=29 bytes_alloc=32",
            " bytes_req=56bytes_alloc=64",
            " bytes_req=0x10 (16) bytes_alloc=0x10 (16)",
            " bytes_req=1 bytes_alloc=123456789012345678901",
            " bytes_req=1",
            " name=names_cache",
        ]
    ),
    st.sampled_from(["", " gfp_flags=GFP_KERNEL|0x8", " gfp_flags=0xcc0 node=-1 accounted=true", " accounted=(0)"]),
    st.sampled_from(["", "\n", " \r\n", " */\n", "sh-1 [0] 1.6: kfree: call_site=f ptr=1\n", " [LOST 2 EVENTS]\n"]),
).map("".join)


def outcome(line: str) -> object:
    log = KmemLog("trace.txt", [line.encode()])
    try:
        return list(log), log.lost, log.others, log.no_events, log.restarts
    except InputError as fault:
        return str(fault)


class NoPattern:
    """Stands in for the pattern: nothing fits."""

    def fullmatch(self, line: bytes) -> None:
        return None


@given(st.one_of(PIECES.map(" ".join), PIECES.map("".join), USUAL, SLAB))
@example(PLAIN_OBJECT)
@example(PLAIN_LINE.format("alloc"))
@example(PLAIN_LINE.format("free"))
def test_a_plain_line_is_read_as_any_other(line: str) -> None:
    found = outcome(line)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("memoracle.trace.kmem.PLAIN", NoPattern())
        patch.setattr("memoracle.trace.kmem.PLAIN_SLAB", NoPattern())
        assert outcome(line) == found


@pytest.mark.parametrize("path", sorted(DATA.glob("*.txt")), ids=lambda path: path.stem)
def test_logs_of_real_machines_are_read_alike(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    found = list(KmemLog("trace.txt", lines))
    monkeypatch.setattr("memoracle.trace.kmem.PLAIN", NoPattern())
    monkeypatch.setattr("memoracle.trace.kmem.PLAIN_SLAB", NoPattern())
    assert list(KmemLog("trace.txt", lines)) == found


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (PLAIN_LINE.format("alloc"), KmemEvent("alloc", 0x182190, 2, False, 1)),
        (PLAIN_LINE.format("free"), KmemEvent("free", 0x182190, 2, False, 1)),
        ("sh-1 [000] 1.5: mm_page_alloc: page=0x1 pfn=77 order=10\n", KmemEvent("alloc", 77, 10, False, 1)),
        (
            "perf  6429 [000]    22.498450: kmem:mm_page_free: page=0x176a17 pfn=1534487 order=0",
            KmemEvent("free", 1534487, 0, False, 1),
        ),
    ],
)
def test_what_tracers_mostly_print_is_plain(line: str, event: KmemEvent) -> None:
    assert PLAIN.fullmatch(line.encode())
    assert outcome(line) == ([event], 0, {}, 0, 0)


def test_an_object_that_tracers_mostly_print_is_plain() -> None:
    assert PLAIN_SLAB.fullmatch(PLAIN_OBJECT.encode())
    event = SlabEvent("kmalloc", "ffff88003dd83800", 0xFFFF88003DD83800, Meaning.ADDRESS, 768, 1024, 1)
    assert outcome(PLAIN_OBJECT) == ([event], 0, {}, 0, 0)


@pytest.mark.parametrize(
    "text", ["1" * 200_000, "a-1 [1] " + "." * 200_000, " " * 200_000, "a-1 [0] 1.1: " + "9" * 200_000]
)
def test_a_long_line_takes_no_long_time(text: str) -> None:
    start = time.thread_time()
    assert PLAIN.fullmatch(text.encode()) is None
    assert PLAIN_SLAB.fullmatch(text.encode()) is None
    assert time.thread_time() - start < 1
