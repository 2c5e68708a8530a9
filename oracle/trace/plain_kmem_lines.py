"""Events of pages and objects as tracers mostly print them, known by one pattern of the whole line.

A line that fits has one event, and says nothing of lost ones: `read_line` would find the same in it, in many steps. A
failed allocation, and any line in which something else stands, does not fit.
"""

from __future__ import annotations

import re

# Of ftrace and trace-cmd: the task, the CPU, flags, the time. Of perf: the task, its number, the CPU, the time, the
# system. A page number of 0 may be a failure's; one that is too long may be beyond 64-bit addresses.
BEFORE = (
    rb"\s*+[\w/.:<>+-]++ *+(?:\d+ ++)?+(?:\( *+[\d-]++\) ++)?+\[\d++\] ++(?:[\w.#]++ ++)?+\d++\.\d++: ++(?:kmem:)?+"
)
PLAIN = re.compile(
    BEFORE + rb"mm_page_(alloc|free): ++page=(?:0x)?+[0-9a-f]++ ++"
    rb"pfn=(?!(?:0x)?0++ )(?:0x([0-9a-f]{1,12}+)|(\d{1,14}+)) order=(1\d|\d)(?: migratetype=\d++)?+(?: nr_free=\d++)?+"
    rb"(?: gfp_flags=[\w|]++)?+\s*+"
)
PLAIN_SLAB = re.compile(
    BEFORE + rb"(?:(kmalloc|kmem_cache_alloc)(_node)?+: ++call_site=[\w.+/]++ ++ptr=((?:0x)?+[0-9a-f]{1,16}+)"
    rb" ++bytes_req=(\d{1,20}+) ++bytes_alloc=(\d{1,20}+)(?: ++gfp_flags=[\w|]++)?+(?: ++node=-?\d++)?+"
    rb"(?: ++accounted=\w++)?+|(kfree|kmem_cache_free): ++call_site=[\w.+/]++ ++ptr=((?:0x)?+[0-9a-f]{1,16}+)"
    rb"(?: ++name=[\w-]++)?+)\s*+"
)
PLAIN_ORDERS = {b"%d" % order: order for order in range(20)}  # by what stands in such a line
