from __future__ import annotations

from pathlib import Path

import pytest

from memoracle.trace.inputs import InputError, open_lines
from memoracle.trace.kmem import KmemLog
from memoracle.trace.slab_events import Meaning, SlabEvent

DATA = Path(__file__).parents[2] / "data" / "kmem"


def read(*lines: str) -> list[SlabEvent]:
    log = KmemLog("trace.txt", (line.encode() + b"\n" for line in lines))
    return [event for event in log if isinstance(event, SlabEvent)]


@pytest.mark.parametrize(
    ("name", "events", "last"),
    [
        ("mixed-trace-cmd-kmem-all.txt", 6, ("kmalloc", 0xFFFF888101AEEB00, Meaning.ADDRESS, 224, 256)),
        ("probe-double-kfree-in-mixed-log.txt", 3, ("kfree", 0x62400820, Meaning.HASHED, 0, 0)),
        ("probe-one-kmalloc-line.txt", 1, ("kmalloc", 0xC147DD20, Meaning.UNSURE, 29, 32)),
        ("slab-alloc-free-no-task.txt", 9, ("kmem_cache_free", 0x58D74EF8, Meaning.HASHED, 0, 0)),
        ("slab-elinux-boot.txt", 9, ("kmem_cache_alloc", 0xC1610C08, Meaning.UNSURE, 64, 64)),
        ("slab-fields-option.txt", 7, ("kmem_cache_alloc", 0xFFFF9E0E8D35D3B0, Meaning.ADDRESS, 16, 16)),
        ("slab-trace-cmd-man.txt", 2, ("kfree", 0, Meaning.NO_BLOCK, 0, 0)),
    ],
)
def test_logs_of_real_machines(name: str, events: int, last: tuple[str, int, Meaning, int, int]) -> None:
    log = KmemLog(name, open_lines(str(DATA / name)))
    found = [event for event in log if isinstance(event, SlabEvent)]
    event = found[-1]
    assert (len(found), (event.name, event.address, event.meaning, event.asked, event.given)) == (events, last)


@pytest.mark.parametrize(
    ("ptr", "address", "meaning"),
    [
        ("ffff88003dd83800", 0xFFFF88003DD83800, Meaning.ADDRESS),
        ("0xffff88003dd83800", 0xFFFF88003DD83800, Meaning.ADDRESS),
        ("0xc147dd20", 0xC147DD20, Meaning.ADDRESS),  # programs that read binary records print no hashes
        ("00000000cef40c80", 0xCEF40C80, Meaning.HASHED),
        ("c147dd20", 0xC147DD20, Meaning.UNSURE),
        ("  (null)", 0, Meaning.NO_BLOCK),
        ("          (null)", 0, Meaning.NO_BLOCK),
        ("(nil)", 0, Meaning.NO_BLOCK),
        ("0x0", 0, Meaning.NO_BLOCK),
        ("0000000000000000", 0, Meaning.NO_BLOCK),
        ("0000000000000010", 16, Meaning.NO_BLOCK),
        ("(____ptrval____)", 0, Meaning.WITHHELD),
        ("(ptrval)", 0, Meaning.WITHHELD),
        ("0xffff9e0e8571e000 (-107689771147264)", 0xFFFF9E0E8571E000, Meaning.ADDRESS),
    ],
)
@pytest.mark.parametrize("end", ["", " name=names_cache", " */"])
def test_what_a_pointer_tells(ptr: str, address: int, meaning: Meaning, end: str) -> None:
    (event,) = read(f"sh-1 [000] .... 1.0: kmem_cache_free: call_site=f+0x1/0x2 ptr={ptr}{end}")
    assert (event.address, event.meaning, event.allocates) == (address, meaning, False)


@pytest.mark.parametrize(
    "line",
    [
        "  sh-1 [000] .... 1.0: kmalloc: call_site=f+0x1 ptr=0xffff888100001000 {} gfp_flags=GFP_KERNEL",
        "perf  6429 [000]    22.498450:          kmem:kmalloc: call_site=ffffffff851d0cb0 ptr=0xffff888100001000 {}",
        "kmalloc: call_site=f ptr=0xffff888100001000 {} node=-1 accounted=false",
        " 1287587.105144 |   1)               |  /* kmalloc: call_site=f ptr=0xffff888100001000 {} */",
        "kmalloc: (f+0x1) call_site=f ptr=0xffff888100001000 {}",
    ],
)
@pytest.mark.parametrize(
    "sizes", ["bytes_req=56 bytes_alloc=64", "bytes_req=56bytes_alloc=64", "bytes_req=0x38 (56) bytes_alloc=0x40 (64)"]
)
def test_forms_of_an_allocation(line: str, sizes: str) -> None:
    assert read(line.format(sizes)) == [
        SlabEvent("kmalloc", "0xffff888100001000", 0xFFFF888100001000, Meaning.ADDRESS, 56, 64, 1)
    ]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ("call_site=f bytes_req=1 bytes_alloc=8", "without a readable ptr="),
        ("call_site=f ptr=xyz bytes_req=1 bytes_alloc=8", "without a readable ptr="),
        ("call_site=f ptr=12345678901234567 bytes_req=1 bytes_alloc=8", "without a readable ptr="),
        ("call_site=f ptr=1 ptr=2 bytes_req=1 bytes_alloc=8", "that has ptr= twice"),
        ("call_site=f ptr=c147dd20 bytes_alloc=8", "without a readable bytes_req="),
        ("call_site=f ptr=c147dd20 bytes_req=1", "without a readable bytes_alloc="),
        ("call_site=f ptr=c147dd20 bytes_req=-1 bytes_alloc=8", "without a readable bytes_req="),
        ("call_site=f ptr=c147dd20 bytes_req=1 bytes_alloc=8x", "without a readable bytes_alloc="),
        ("call_site=f ptr=c147dd20 bytes_req=1 bytes_alloc=8 bytes_alloc=8", "that has bytes_alloc= twice"),
        (f"call_site=f ptr=c147dd20 bytes_req={'9' * 21} bytes_alloc=8", "without a readable bytes_req="),
    ],
)
def test_an_event_that_cannot_be_read_is_told_with_its_line(fields: str, told: str) -> None:
    with pytest.raises(InputError, match=rf"^trace\.txt:2: slab event {told}"):
        read("# tracer: nop", f"sh-1 [000] .... 1.0: kmalloc: {fields}")


@pytest.mark.parametrize("first", ["kfree: call_site=f ptr=c147dd20", "mm_page_free: page=0x1 pfn=16 order=0"])
def test_two_events_in_one_line_are_refused(first: str) -> None:
    with pytest.raises(InputError, match=r"two events in one line.*and kfree$"):
        read(f"sh-1 [000] .... 1.0: {first}sh-1 [000] .... 1.0: kfree: call_site=f ptr=c147dd20")


@pytest.mark.parametrize("text", ["print: kfree: call_site=f ptr=1", "foo: kfree: call_site=f ptr=1", "kfree: a free"])
def test_text_is_no_event(text: str) -> None:
    assert read(f"sh-1 [000] .... 1.5: {text}") == []
