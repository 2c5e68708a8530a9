"""The reference's own tables conform, and are read as it says; with a bit of an entry changed, it shows."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from memoracle.impl import pte
from memoracle.impl.bitmap import Bitmap
from memoracle.impl.kernel_half import KernelHalf
from memoracle.impl.paging import Leaf, Paging
from memoracle.snapshot.findings import Findings
from memoracle.snapshot.judge import judge
from memoracle.snapshot.mappings import Mapped
from memoracle.snapshot.walk import Walk
from memoracle.spec.pat import AT_RESET

LAYOUT = pte.Layout(46, AT_RESET)
FRAMES = 256
TYPES = (0, 4, 6, 7)
FIRST = 128  # of the frames that are mapped; those below hold tables


class Tables:
    """The tables of a reference, as a memory that holds nothing else."""

    def __init__(self, paging: Paging) -> None:
        tops = {frame: paging.halves.tables[process] for process, frame in paging.roots.items()}
        self.tables = {frame << paging.page_shift: [*entries] for frame, entries in (tops | paging.memory).items()}

    def table(self, address: int) -> Sequence[int] | None:
        return self.tables.get(address)


def random_tables(rng: Random, level: int) -> tuple[Paging, set[tuple[int, int]]]:
    """Tables after random maps and unmaps, and the pages that are mapped, those of the kernel as of process 0."""
    bitmap = Bitmap(FRAMES)
    bitmap.add(1, FIRST)
    paging = Paging(bitmap, KernelHalf(), LAYOUT, level, FRAMES)
    pages: set[tuple[int, int]] = set()
    for process in (1, 2, 3):
        assert paging.create(process)
    tops, below = rng.sample(range(512), 4), rng.sample(range(512), 3)
    for _ in range(80):
        process = rng.randrange(4)
        virtual = rng.choice(tops) << 39 | sum(rng.choice(below) << 9 * each + 3 for each in range(3, level - 1, -1))
        virtual |= -(virtual >> 47) << 48 & (1 << 64) - 1
        frame = rng.randrange(FIRST, FRAMES)
        leaf = Leaf(frame << paging.page_shift, TYPES[frame % 4], *(rng.random() < 0.5 for _ in range(3)))
        if paging.map(process, virtual, leaf):
            pages.add((process if virtual >> 63 == 0 else 0, virtual))
        elif rng.random() < 0.3 and paging.unmap(process, virtual):
            pages.discard((process if virtual >> 63 == 0 else 0, virtual))
    return paging, pages


def walked(memory: Tables, paging: Paging) -> tuple[Walk, Findings]:
    findings = Findings()
    walk = Walk(memory, [frame << paging.page_shift for _, frame in sorted(paging.roots.items())], LAYOUT, findings)
    judge(walk, findings)
    return walk, findings


def pages_of(walk: Walk, size: int) -> dict[tuple[int, int], tuple[int, Mapped]]:
    """By space and address, 0 for the kernel's: the frame, and the range."""
    return {
        (each.attributes.space if each.attributes.is_lower else 0, each.virtual + at): (each.physical + at, each)
        for each in walk.mappings
        for at in range(0, each.bytes, size)
    }


@pytest.mark.parametrize("level", [1, 2, 3])
def test_the_references_tables_conform_and_are_read_as_it_says(level: int) -> None:
    for seed in range(3):
        paging, pages = random_tables(Random(seed), level)
        walk, findings = walked(Tables(paging), paging)
        assert (findings.kept, walk.unreadable, walk.whole) == ([], [], True)
        assert walk.read_tables == len(paging.roots) + len(paging.memory)
        found = pages_of(walk, 1 << paging.page_shift)
        assert found.keys() == pages
        for (process, virtual), (physical, mapped) in found.items():
            kind = mapped.attributes
            assert physical == paging.translate(process, virtual)
            said = (kind.cache, kind.writable, kind.user, kind.executable, kind.global_)
            assert said == paging.attributes(process, virtual)
            assert kind.level == level


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_changed_bit_is_a_divergence_or_changes_what_is_mapped(level: int) -> None:
    """Bits of the address, and whether the entry is present; of a leaf also whether it is writable or executable."""
    rng = Random(5)
    paging, _ = random_tables(rng, level)
    whole, _ = walked(Tables(paging), paging)
    before = [*whole.mappings]
    entries = [(table, i) for table, each in Tables(paging).tables.items() for i, value in enumerate(each) if value & 1]
    tables = Tables(paging)
    for table, index in rng.sample(entries, 4):
        value = tables.tables[table][index]
        is_leaf = whole.tables[table].level == level
        for bit in (0, *range(13, 52), *((1, 63) if is_leaf else ())):
            tables.tables[table][index] = value ^ 1 << bit
            walk, findings = walked(tables, paging)
            same = [*walk.mappings] == before
            assert findings.kept or walk.unreadable or not same, (hex(table), index, bit)
        tables.tables[table][index] = value
