"""Page events as tracers mostly print them, known by one pattern of the whole line.

A line that fits has one event, and says nothing of lost ones: `read_line` would find the same in it, in many steps. A
failed allocation, and any line in which something else stands, does not fit.
"""

from __future__ import annotations

import re

# Of ftrace and trace-cmd: the task, the CPU, flags, the time. Of perf: the task, its number, the CPU, the time, the
# system. A page number of 0 may be a failure's; one that is too long may be beyond 64-bit addresses.
PLAIN = re.compile(
    rb"\s*+[\w/.:<>+-]++ *+(?:\d+ ++)?+(?:\( *+[\d-]++\) ++)?+\[\d++\] ++(?:[\w.#]++ ++)?+\d++\.\d++: ++(?:kmem:)?+"
    rb"mm_page_(alloc|free): ++page=(?:0x)?+[0-9a-f]++ ++"
    rb"pfn=(?!(?:0x)?0++ )(?:0x([0-9a-f]{1,12}+)|(\d{1,14}+)) order=(1\d|\d)(?: migratetype=\d++)?+(?: nr_free=\d++)?+"
    rb"(?: gfp_flags=[\w|]++)?+\s*+"
)
PLAIN_ORDERS = {b"%d" % order: order for order in range(20)}  # by what stands in such a line
