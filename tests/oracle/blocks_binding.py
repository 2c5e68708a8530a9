"""A buddy allocator in C to drive, and its binding."""

from __future__ import annotations

import subprocess
from pathlib import Path

SOURCE = Path(__file__).parent / "drive" / "blocks.c"
BINDING = """
library = "blocks.so"
declarations = '''
void blocks_init(void);
long blocks_alloc(unsigned order);
int blocks_free(unsigned long page, unsigned order, unsigned long *freed);
'''
start = ["blocks_init()"]

[geometry]
preset = "x64-4k"
frames = 256
frame_allocator = "buddy"
frame_max_order = 5
never_free = []

[operations."frame.allocate"]
call = "blocks_alloc(order)"
fails = "value < 0"
result = "value * page_size"

[operations."frame.free"]
call = "blocks_free(address / page_size, order, out)"
fails = "value != 0"
"""


def blocks(folder: Path, fault: str = "NOTHING") -> Path:
    """Compiles the allocator with a fault, and returns its binding."""
    library, binding = folder / "blocks.so", folder / "blocks.toml"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", f"-DFAULT={fault}", SOURCE, "-o", library], check=True)
    binding.write_text(BINDING)
    return binding
