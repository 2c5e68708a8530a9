"""The peer that tests live code: Hypothesis chooses the operations, one rule each, and a list of what lives tells right
from wrong.
"""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from benchmarks.manager import MACHINE, SHIFT, WRITE_BACK
from benchmarks.workloads import BLOCKS, FRAMES, IMAGE, LARGEST, MAPPINGS, PAGES, RUNS, FirstFit, Workload
from memoracle.impl.bitmap import Bitmap
from memoracle.impl.buddy import Buddy
from memoracle.impl.manager import Manager
from memoracle.impl.paging import Leaf
from memoracle.impl.runs import Runs

EXAMPLE = 100  # steps
ANY = st.integers(0, 1 << 16)


def run(workload: Workload, steps: int) -> int:
    """Runs the state machine for about so many steps; how many it took. Raises AssertionError where one goes wrong."""
    taken = 0

    class Frames(RuleBasedStateMachine):
        """Frames, one by one."""

        def __init__(self) -> None:
            super().__init__()
            self.bitmap = Bitmap(1 << workload.bits, [(0, IMAGE)])
            self.bitmap.add(IMAGE, 1 << workload.bits)
            self.live: list[int] = []

        @rule()
        def allocate(self) -> None:
            count()
            frame = self.bitmap.allocate()
            assert frame is not None
            assert IMAGE <= frame < 1 << workload.bits
            assert frame not in self.live
            self.live.append(frame)

        @precondition(lambda self: self.live)
        @rule(choice=ANY)
        def free(self, choice: int) -> None:
            count()
            assert self.bitmap.free(self.live.pop(choice % len(self.live)))

    class RunsOfFrames(RuleBasedStateMachine):
        """Runs of frames, or blocks."""

        def __init__(self) -> None:
            super().__init__()
            self.runs = Runs(1 << workload.bits)
            self.runs.add_never_free(0, IMAGE)
            self.runs.add(IMAGE, (1 << workload.bits) - IMAGE)
            self.live: dict[int, int] = {}

        @rule(order=st.integers(0, LARGEST.bit_length() - 1), less=ANY)
        def allocate(self, order: int, less: int) -> None:
            count()
            frames = 1 << order if workload.kind == BLOCKS else max(1, (1 << order) - less % LARGEST)
            first = self.runs.allocate(frames, frames if workload.kind == BLOCKS else 1, 0, 1 << workload.bits)
            if first is None:
                return
            assert all(first + frames <= other or other + size <= first for other, size in self.live.items())
            self.live[first] = frames

        @precondition(lambda self: self.live)
        @rule(choice=ANY)
        def free(self, choice: int) -> None:
            count()
            first = list(self.live)[choice % len(self.live)]
            assert self.runs.free(first, self.live.pop(first))

    class Ranges(RuleBasedStateMachine):
        """Blocks or runs of a range."""

        def __init__(self) -> None:
            super().__init__()
            self.space = FirstFit(workload.bits) if workload.kind == PAGES else Buddy(workload.bits)
            self.live: dict[int, int] = {}

        @rule(pages=st.integers(1, LARGEST))
        def allocate(self, pages: int) -> None:
            count()
            page = self.space.allocate(pages)
            if page is None:
                return
            assert all(page + pages <= other or other + size <= page for other, size in self.live.items())
            self.live[page] = pages

        @precondition(lambda self: self.live)
        @rule(choice=ANY)
        def free(self, choice: int) -> None:
            count()
            page = list(self.live)[choice % len(self.live)]
            assert self.space.free(page, self.live.pop(page))

    class Mappings(RuleBasedStateMachine):
        """Pages of a process, by the reference manager."""

        def __init__(self) -> None:
            super().__init__()
            self.manager = Manager(MACHINE)
            assert self.manager.create(1)
            self.shown: dict[int, int] = {}

        @rule(page=st.integers(0, (1 << workload.bits) - 1), frame=ANY)
        def map(self, page: int, frame: int) -> None:
            count()
            done = self.manager.map(1, page << SHIFT, Leaf(frame << SHIFT, WRITE_BACK))
            assert done == (page not in self.shown)
            self.shown.setdefault(page, frame)

        @precondition(lambda self: self.shown)
        @rule(choice=ANY)
        def unmap(self, choice: int) -> None:
            count()
            page = list(self.shown)[choice % len(self.shown)]
            del self.shown[page]
            assert self.manager.unmap(1, page << SHIFT)

    def count() -> None:
        nonlocal taken
        taken += 1

    plain = settings(
        max_examples=max(1, steps // EXAMPLE),
        stateful_step_count=EXAMPLE,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    kinds = {FRAMES: Frames, RUNS: RunsOfFrames, BLOCKS: RunsOfFrames, MAPPINGS: Mappings}
    machine = kinds.get(workload.kind, Ranges)
    run_state_machine_as_test(machine, settings=plain)
    return taken
