from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoracle.trace.inputs import InputError, open_lines
from memoracle.trace.kmem import KmemEvent, KmemLog, looks_like_kmem
from memoracle.trace.slab_events import SlabEvent

DATA = Path(__file__).parents[2] / "data" / "kmem"


def read(*lines: str) -> list[KmemEvent | SlabEvent]:
    return list(KmemLog("trace.txt", (line.encode() + b"\n" for line in lines)))


@pytest.mark.parametrize(
    ("name", "events", "last"),
    [
        ("ftrace-2.6.33-free-direct.txt", 5, ("free", 1155800, 0, False, 5)),
        ("ftrace-arm64.txt", 6, ("alloc", 296792, 0, False, 6)),
        ("ftrace-null-page.txt", 9, ("alloc", 0, 0, True, 9)),
        ("ftrace-order3.txt", 1, ("alloc", 8690824, 3, False, 1)),
        ("no-task-columns.txt", 1, ("alloc", 0x12AD72, 1, False, 1)),
        ("perf-script.txt", 1, ("alloc", 1534487, 0, False, 1)),
        ("trace-cmd-hex-gfp.txt", 2, ("alloc", 0x122233, 0, False, 2)),
        ("trace-cmd-hex-pfn.txt", 4, ("alloc", 0x123DE6, 0, False, 4)),
        ("trace-cmd-no-prefix.txt", 1, ("alloc", 0xA62F4, 0, False, 1)),
        ("mixed-trace-cmd-kmem-all.txt", 4, ("alloc", 0x123DE6, 0, False, 5)),
        ("page-alloc-stacktrace-arm64.txt", 2, ("alloc", 296764, 2, False, 7)),
        ("page-function-graph-comment.txt", 1, ("alloc", 1704824, 0, False, 1)),
        ("page-function-graph-failed-order9.txt", 1, ("alloc", 0, 9, True, 4)),
        ("page-perf-script-callchain.txt", 1, ("alloc", 1534487, 0, False, 1)),
        ("page-trace-cmd-vmemmap-page.txt", 1, ("alloc", 3174624, 1, False, 1)),
        ("probe-cpu-buffer-started.txt", 2, ("alloc", 970744, 0, False, 7)),
        ("probe-options-fields-page-events.txt", 3, ("free", 0x1D1AC1, 1, False, 3)),
    ],
)
def test_real_trace(name: str, events: int, last: tuple[str, int, int, bool, int]) -> None:
    log = KmemLog(name, open_lines(str(DATA / name)))
    found = [event for event in log if isinstance(event, KmemEvent)]
    assert (len(found), found[-1]) == (events, KmemEvent(*last))
    assert [event.failed for event in found[:-1]] == [False] * (events - 1)
    assert any(map(looks_like_kmem, open_lines(str(DATA / name))))


@pytest.mark.parametrize(
    ("name", "slab", "others", "no_events"),
    [
        ("ftrace-2.6.33-free-direct.txt", {}, {}, 0),
        ("mixed-trace-cmd-kmem-all.txt", {}, {}, 0),
        ("page-alloc-stacktrace-arm64.txt", {}, {}, 10),
        ("page-extfrag.txt", {}, {"mm_page_alloc_extfrag": 1}, 0),
        ("probe-double-kfree-in-mixed-log.txt", {}, {}, 0),
        ("slab-gef-kmalloc-tracer.txt", {"kfree": 2, "__kmalloc": 2, "kmalloc_trace": 1}, {}, 0),
        ("slab-trace-cmd-man.txt", {}, {"filemap_fault": 1, "sys_exit_write": 1}, 0),
    ],
)
def test_what_is_passed_over_is_counted(
    name: str, slab: dict[str, int], others: dict[str, int], no_events: int
) -> None:
    assert any(map(looks_like_kmem, open_lines(str(DATA / name))))
    log = KmemLog(name, open_lines(str(DATA / name)))
    list(log)
    assert (log.slab, log.others, log.no_events) == (slab, others, no_events)


def test_orders_above_zero_and_both_kinds() -> None:
    assert read(
        "sh-781 [004] ...1 31.303494: mm_page_alloc: page=ffffffbdc021cf00 pfn=296764 order=2 migratetype=0",
        "kworker/10:1-440 [010] ..... 355.369905: mm_page_free: page=00000000dc8c03bd pfn=0x182190 order=2",
    ) == [KmemEvent("alloc", 296764, 2, False, 1), KmemEvent("free", 0x182190, 2, False, 2)]


@pytest.mark.parametrize(
    "fields",
    [
        "page= (null) pfn=0 order=0",
        "page=(null) pfn=0 order=3 gfp_flags=GFP_NOWAIT",
        "page=(nil) pfn=0x0 order=0",
        "page=0000000000000000 pfn=0 order=0",
        "page=0x0 pfn=0x0 order=0",
        "pfn=0 order=0",
        "page=(null) pfn=0xffffffffffffffff order=0",
        "page=0xdeadbeef pfn=18446744073709551615 order=0",
    ],
)
def test_failed_allocation(fields: str) -> None:
    (event,) = read(f"sh-1 [000] .... 1.0: mm_page_alloc: {fields}")
    assert isinstance(event, KmemEvent)
    assert (event.kind, event.pfn, event.failed) == ("alloc", 0, True)


@pytest.mark.parametrize("page", ["page=ffffea0000000000 ", "page=00000000d2be5665 ", "page=(____ptrval____) "])
def test_page_0_may_be_allocated(page: str) -> None:
    assert read(f"mm_page_alloc: {page}pfn=0 order=0") == [KmemEvent("alloc", 0, 0, False, 1)]


def test_free_never_counts_as_a_failed_allocation() -> None:
    assert read("mm_page_free: page=(null) pfn=0 order=0") == [KmemEvent("free", 0, 0, False, 1)]


def test_other_lines_are_ignored_and_counted() -> None:
    log = KmemLog(
        "trace.txt",
        [
            b"# tracer: nop\n",
            b"#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION: mm_page_free: comment\n",
            b"\n",
            b"cpus=8\n",
            b"sh-1 [000] 1.0: mm_page_free_batched: page=ffffea0003db9f40 pfn=1155800 order=0 cold=0\n",
            b"sh-1 [000] 1.0: mm_pagevec_free: page=ffffea0003db9f40 pfn=1155800 order=0 cold=0\n",
            b"sh-1 [000] 1.0: mm_page_alloc_zone_locked: page=0 pfn=1155800 order=0\n",
            b"sh-1 [000] 1.0: kmalloc: the text of trace_printk in a function\n",
            b"CPU:3 [LOST 128 EVENTS]\n",
            b"CPU:1 [12 EVENTS DROPPED]\n",
            b"sh-1 [000] 1.0: mm_page_free: page=ffffea0003db9f40 pfn=1155800 order=0\n",
        ],
    )
    assert list(log) == [KmemEvent("free", 1155800, 0, False, 11)]
    assert (log.slab, log.others, log.no_events, log.lost) == ({}, {"kmalloc": 1}, 0, 2)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ("page=0 order=0", "pfn="),
        ("page=0 pfn=12", "order="),
        ("page=0 pfn=0xzz order=0", "pfn="),
        ("page=0 pfn=12a order=0", "pfn="),
        ("page=0 pfn=12 order=-1", "order="),
        ("page=0 pfn=12 order=0xg", "order="),
        ("page=0 pfn=12 order=1a", "order="),
        ("page=0 pfn=99999999999999999999999 order=0", "pfn="),
        ("page=0 pfn=1 order=60", "beyond"),
        ("page=0 pfn=0xfffffffffffff order=1", "beyond"),
        ("page=0 pfn=100 pfn=200 order=0", "pfn= twice"),
        ("page=0 pfn=100 order=0 pfn=zz", "pfn= twice"),
        ("page=0 pfn=100 order=0 order=1", "order= twice"),
        ("", "pfn="),
    ],
)
def test_event_that_cannot_be_read_is_told_with_its_line(fields: str, told: str) -> None:
    for event in ("mm_page_alloc", "mm_page_free", "kmem:mm_page_free_direct"):
        with pytest.raises(InputError, match=rf"^trace\.txt:2: .*{told}"):
            read("# tracer: nop", f"sh-1 [000] .... 1.0: {event}: {fields}")


ALLOC = "page=0x1 pfn=16 order=0 migratetype=0 gfp_flags=GFP_KERNEL"
FREE = "page=0x1 pfn=16 order=0"
TIMES = ["1.5: ", "22.498450:             kmem:", "1.000000001:  1 kmem:", "123456789: ", "12us : ", "12us+: "]


@pytest.mark.parametrize("time", TIMES)
def test_an_event_follows_the_time(time: str) -> None:
    assert read(f"sh-1 [000] .... {time}mm_page_free: {FREE}") == [KmemEvent("free", 16, 0, False, 1)]


@pytest.mark.parametrize("between", ["", " ", "sh-1 [000] .... ", "sh-1 [000] .... 1.5: ", "1) | /* "])
@pytest.mark.parametrize("prefix", ["sh-1 [000] .... 1.5: ", ""])
def test_two_page_events_in_one_line_are_refused(between: str, prefix: str) -> None:
    for first, second in (("mm_page_alloc", "mm_page_free"), ("mm_page_free_direct", "mm_page_alloc")):
        with pytest.raises(InputError, match=rf"^trace\.txt:2: two events in one line.*: {first} and {second}$"):
            read("", f"{prefix}{first}: {ALLOC}{between}{second}: {FREE}")


def test_an_event_in_the_line_of_another_kind_is_refused() -> None:
    with pytest.raises(InputError, match="sched_switch and mm_page_free"):
        read(f"sh-1 [000] .... 1.5: sched_switch: prev_comm=shsh-1 [000] .... 1.6: mm_page_free: {FREE}")


def test_what_follows_an_event_in_its_line_is_no_field_of_it() -> None:
    line = f"sh-1 [000] 1.5: mm_page_alloc: {ALLOC}sh-1 [000] 1.6: mm_page_free_batched: page=0x1 pfn=9 order=0"
    assert read(line) == [KmemEvent("alloc", 16, 0, False, 1)]


@pytest.mark.parametrize("printer", ["tracing_mark_write", "print", "bprint", "bputs", "ftrace:print", "foo", "f.cold"])
@pytest.mark.parametrize("text", ["", "foo: ", "a b: "])
@pytest.mark.parametrize("time", TIMES)
def test_printed_text_is_no_event(printer: str, text: str, time: str) -> None:
    printed = printer if "kmem" not in time else printer.split(":")[-1]
    log = KmemLog("trace.txt", [f"sh-1 [000] .... {time}{printed}: {text}mm_page_free: {FREE}\n".encode()])
    assert list(log) == []
    assert log.others == {printer.split(":")[-1]: 1}


@pytest.mark.parametrize("printer", ["tracing_mark_write", "print", "bprint", "bputs"])
@pytest.mark.parametrize("prefix", ["", "  ", "sh-1 [000] .... 1.5: "])
@pytest.mark.parametrize("text", [f"sh-1 [000] 1.0: mm_page_free: {FREE}", f"mm_page_free: {FREE}", "[LOST 2 EVENTS]"])
def test_text_may_hold_whatever_a_tracer_prints(printer: str, prefix: str, text: str) -> None:
    log = KmemLog("trace.txt", [f"{prefix}{printer}: {text}\n".encode()])
    assert list(log) == []
    assert log.lost == 0


LOSSES = [
    "CPU:3 [LOST 128 EVENTS]",
    "CPU:0 [LOST EVENTS]",
    "CPU:1 [12 EVENTS DROPPED]",
    "CPU:1 [EVENTS DROPPED]",
    "##### CPU 1 buffer started ####",
    "perf  6429 [000]    22.498450: PERF_RECORD_LOST lost 12",
    "swapper     0 [000]    22.498450: PERF_RECORD_LOST_SAMPLES lost 12",
    "PERF_RECORD_LOST lost 12",
]


@pytest.mark.parametrize("loss", LOSSES)
def test_lost_events(loss: str) -> None:
    event = f"sh-1 [000] .... 1.5: mm_page_free: {FREE}"
    log = KmemLog("trace.txt", [f"{event}\n".encode(), f"{loss}\n".encode(), f"{event}\n".encode()])
    assert [(each.line, log.lost) for each in log] == [(1, 0), (3, 1)]
    assert (log.others, log.no_events) == ({}, 0)


@pytest.mark.parametrize("loss", LOSSES)
def test_lost_events_and_an_event_in_one_line(loss: str) -> None:
    event = f"  sh-1 [000] .... 1.5: mm_page_free: {FREE}"
    log = KmemLog("trace.txt", [f"{loss}{event}\n".encode(), f"{event} {loss}\n".encode(), f"{event}\n".encode()])
    assert [(each.line, log.lost) for each in log] == [(1, 1), (2, 1), (3, 2)]


@pytest.mark.parametrize("kind", ["PERF_RECORD_LOST", "PERF_RECORD_LOST_SAMPLES"])
def test_none_lost(kind: str) -> None:
    log = KmemLog("trace.txt", [f"perf  6429 [000]    22.498450: {kind} lost 0\n".encode()])
    assert (list(log), log.lost) == ([], 0)


@pytest.mark.parametrize("header", ["# tracer: nop", "cpus=8", "# captured on    : Mon Jan  5 10:00:00 2026"])
def test_where_another_log_begins(header: str) -> None:
    event = f"sh-1 [000] .... 1.5: mm_page_free: {FREE}"
    log = KmemLog("trace.txt", [f"{line}\n".encode() for line in (header, header, event, header, header, event)])
    assert [(each.line, log.restarts) for each in log] == [(3, 0), (6, 1)]


def test_numbers_that_are_written_twice() -> None:
    line = "4582.696626: mm_page_alloc: pfn=0x1d1ac2 (1907394) order=0x1 (1) gfp_flags=0xcc0 (3264)"
    assert read(line) == [KmemEvent("alloc", 0x1D1AC2, 1, False, 1)]


@given(
    st.sampled_from(["alloc", "free"]),
    st.integers(1, (1 << 41) - 1),
    st.integers(0, 10),
    st.sampled_from(["{}", "0x{:x}"]),
    st.integers(0, (1 << 64) - 1),
    st.sampled_from(["page={page:016x} ", "page={page:#x} ", "page= (null) ", ""]),
    st.sampled_from(
        ["  sh-1   [000] ....  1.5: mm_page_{}: ", "sh 1 [000] 1.5:  kmem:mm_page_{}:   ", "mm_page_{}:\t"]
    ),
)
def test_what_a_tracer_prints_is_read_back(
    kind: str, pfn: int, order: int, number: str, page: int, pointer: str, prefix: str
) -> None:
    line = prefix.format(kind) + pointer.format(page=page) + f"pfn={number.format(pfn)} order={order} migratetype=1"
    assert read(line) == [KmemEvent(kind, pfn, order, False, 1)]


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        (b"# tracer: nop\n", True),
        (b"cpus=4\n", True),
        (b"sh-1 [000] 1.0: mm_page_free_batched: page=0 pfn=1 order=0\n", True),
        (b"sh-1 [000] 1.0: kfree: call_site=ffffffff ptr=0\n", True),
        (b"sh-1 [000] 1.0: kfree: it is said to be slow\n", False),
        (b"sh-1 [000] 1.0: sched_switch: prev_comm=sh\n", False),
        (b'{"memoracle": 1}\n', False),
        (b"[    0.000000] BIOS-provided physical RAM map:\n", False),
        (b"", False),
    ],
)
def test_recognition(line: bytes, verdict: bool) -> None:
    assert looks_like_kmem(line) is verdict
