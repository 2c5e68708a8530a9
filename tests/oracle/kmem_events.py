"""Lines of kmem logs, for tests."""

from __future__ import annotations


def alloc(pfn: int, order: int = 0) -> str:
    return f"  sh-1 [000] .... 1.0: mm_page_alloc: page=0x1 pfn={pfn:#x} order={order} migratetype=0 gfp_flags=0xc"


def free(pfn: int, order: int = 0) -> str:
    return f"  sh-1 [000] .... 1.0: mm_page_free: page=0x1 pfn={pfn:#x} order={order}"


BATCHED = "  sh-1 [000] .... 1.0: mm_page_free_batched: page=0x1 pfn=0x10 order=0 cold=0"
FAILED = "  sh-1 [000] .... 1.0: mm_page_alloc: page=(null) pfn=0 order=3 migratetype=0 gfp_flags=GFP_KERNEL"
LOST = "CPU:2 [LOST 2 EVENTS]"
HEADER = "# tracer: nop"
STARTED = "##### CPU 1 buffer started ####"
