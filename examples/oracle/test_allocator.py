"""Drives an allocator written in C and the reference side by side: `pytest examples/oracle/test_allocator.py`."""

import ctypes
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, multiple, rule

from memoracle import Bitmap, Buddy

FRAMES, IMAGE, DEPTH = 20, 3, 5  # as allocator.c has them
LIBRARY = Path(tempfile.mkdtemp()) / "allocator.so"
SOURCE = Path(__file__).with_name("allocator.c")
subprocess.run(["cc", "-shared", "-fPIC", *os.environ.get("CFLAGS", "").split(), SOURCE, "-o", LIBRARY], check=True)


class Allocator(RuleBasedStateMachine):
    blocks = Bundle("blocks")

    @initialize()
    def start(self) -> None:
        self.tested = ctypes.CDLL(str(LIBRARY))
        self.tested.start()
        self.frames = Bitmap(FRAMES, [(0, IMAGE)])
        self.frames.add(IMAGE, FRAMES)
        self.pages = Buddy(DEPTH)

    @rule()
    def allocate_frame(self) -> None:
        frame = self.tested.frame_allocate()
        if frame < 0:
            assert self.frames.allocate() is None, "refused, although a frame is free"
        else:
            assert self.frames.take(frame), f"frame {frame} is not free"

    @rule(frame=st.integers(0, FRAMES - 1))
    def free_frame(self, frame: int) -> None:
        assert bool(self.tested.frame_free(frame)) == self.frames.free(frame)

    @rule(target=blocks, pages=st.integers(0, 2**DEPTH + 1))
    def allocate_pages(self, pages: int) -> Any:
        page = self.tested.range_allocate(pages)
        if page < 0:
            assert self.pages.allocate(pages) is None, "refused, although a block is large enough"
            return multiple()
        rounded = 1 << (pages - 1).bit_length()
        assert self.pages.reserve(page, rounded), f"{rounded} pages at {page} are no free, aligned block"
        return page, pages

    @rule(block=consumes(blocks))
    def free_what_was_allocated(self, block: tuple[int, int]) -> None:
        self.free_pages(*block)

    @rule(page=st.integers(0, 2**DEPTH - 1), pages=st.integers(0, 2**DEPTH + 1))
    def free_pages(self, page: int, pages: int) -> None:
        assert bool(self.tested.range_free(page, pages)) == self.pages.free(page, pages)


TestAllocator = Allocator.TestCase
