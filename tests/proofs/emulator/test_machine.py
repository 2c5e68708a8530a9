"""An emulated processor agrees with the page tables, finds what is wrong with them, and is no mirror of them."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from memoracle.impl import kernel_half, paging, pte
from memoracle.impl.bitmap import Bitmap
from memoracle.impl.kernel_half import KernelHalf
from memoracle.impl.paging import Leaf, Paging
from memoracle.proofs.emulator import run as machine_run
from memoracle.proofs.emulator import trial as machine_trial
from memoracle.proofs.emulator.events import LAYOUT
from memoracle.proofs.emulator.processor import (
    ACCESSED,
    DIRTY,
    FETCH,
    LOAD,
    NO_MEMORY,
    PAGE_FAULT,
    PROBED,
    PROTECTION,
    STORE,
    Access,
    Processor,
    TakenEntryError,
    look,
)
from memoracle.proofs.emulator.run import LEVELS, MUST_HAPPEN, Agreement, agree, wrong
from memoracle.proofs.emulator.shrink import as_test

PAGE, FRAME = 0x7F1234567000, 0x5555555000
KERNEL, USER = False, True


@pytest.fixture
def tables() -> Paging:
    """One page is mapped, of 4 KiB, in the kernel's own process."""
    bitmap = Bitmap(64, [(0, 1)])
    bitmap.add(1, 64)
    made = Paging(bitmap, KernelHalf(), LAYOUT, 1, 64)
    assert made.map(0, PAGE, Leaf(FRAME, 6))
    return made


def seen(tables: Paging, kind: str, user: bool, virtual: int = PAGE + PROBED) -> int | str:
    return look(tables, 0, Access(kind, user), virtual, [FRAME])


def leaf_table(tables: Paging) -> list[int]:
    [table] = [entries for entries in tables.memory.values() if any(entry & FRAME == FRAME for entry in entries)]
    return table


@pytest.mark.parametrize("level", LEVELS)
def test_it_agrees(level: int) -> None:
    found = agree(level, 600, 6000, 7)
    assert found.failed is None
    assert found.calls >= 600
    assert found.happened[LOAD] >= 6000


# The processor is one


@pytest.mark.parametrize("user", [KERNEL, USER])
@pytest.mark.parametrize("kind", [LOAD, STORE, FETCH])
def test_it_reaches_the_byte_that_is_mapped(tables: Paging, kind: str, user: bool) -> None:
    assert seen(tables, kind, user) == FRAME + PROBED
    assert seen(tables, kind, user, PAGE + 0xFF0 + PROBED) == FRAME + 0xFF0 + PROBED
    assert seen(tables, kind, user, PAGE + 0x1000 + PROBED) == PAGE_FAULT
    assert seen(tables, kind, user, PAGE + PROBED ^ 1 << 47) == PROTECTION


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        (lambda entry: entry & ~pte.PRESENT, {LOAD, STORE, FETCH}),
        (lambda entry: entry & ~pte.WRITABLE, {STORE}),
        (lambda entry: entry | pte.EXECUTE_DISABLE, {FETCH}),
        (lambda entry: entry | 1 << 40, {LOAD, STORE, FETCH}),  # reserved: past its physical addresses
        (lambda entry: entry | 1 << 52, set()),  # ignored
        (lambda entry: entry | pte.GLOBAL, set()),
    ],
)
def test_it_heeds_what_an_entry_says(tables: Paging, change: Callable[[int], int], refused: set[str]) -> None:
    table = leaf_table(tables)
    table[:] = [change(entry) if entry else 0 for entry in table]
    for kind in (LOAD, STORE, FETCH):
        for user in (KERNEL, USER):
            assert seen(tables, kind, user) == (PAGE_FAULT if kind in refused else FRAME + PROBED)


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_what_one_table_withholds_from_users_they_do_not_get(tables: Paging, level: int) -> None:
    index = PAGE >> 3 + 9 * level & 511
    on_the_way = [table for table in (tables.halves.tables[0], *tables.memory.values()) if table[index]]
    for table in on_the_way:
        table[index] &= ~pte.USER
    assert seen(tables, LOAD, USER) == PAGE_FAULT
    assert seen(tables, LOAD, KERNEL) == FRAME + PROBED


def test_memory_that_there_is_not_is_no_fault(tables: Paging) -> None:
    for kind in (LOAD, STORE, FETCH):
        assert look(tables, 0, Access(kind, KERNEL), PAGE + PROBED, []) == NO_MEMORY


def test_it_sees_a_change_when_it_enters_again(tables: Paging) -> None:
    processor = Processor(12, [FRAME, *(frame << 12 for frame in range(8))])
    processor.lay(tables, 0)
    processor.enter(0, KERNEL)
    assert processor.load(PAGE + PROBED) == FRAME + PROBED
    assert tables.unmap(0, PAGE)
    processor.lay(tables, 0)
    processor.enter(0, KERNEL)
    assert processor.load(PAGE + PROBED) == PAGE_FAULT


def test_what_it_writes_into_entries_is_given_back_and_does_not_confuse(tables: Paging) -> None:
    processor = Processor(12, [FRAME, *(frame << 12 for frame in range(8))])
    processor.lay(tables, 0)
    processor.enter(0, USER)
    assert processor.load(PAGE + PROBED) == FRAME + PROBED
    assert processor.walked(tables) is None
    entries = [entry for table in (tables.halves.tables[0], *tables.memory.values()) for entry in table if entry]
    assert len(entries) == 4
    assert all(entry & ACCESSED and not entry & DIRTY for entry in entries)
    assert processor.store(PAGE + PROBED) == FRAME + PROBED
    assert processor.walked(tables) is None
    assert [entry & DIRTY != 0 for table in tables.memory.values() for entry in table if entry] == [False, False, True]
    assert tables.translate(0, PAGE + 5) == FRAME + 5
    assert tables.unmap(0, PAGE) is not None
    assert not tables.memory


def test_it_says_what_else_became_of_a_table(tables: Paging) -> None:
    processor = Processor(12, [FRAME, *(frame << 12 for frame in range(8))])
    processor.lay(tables, 0)
    processor.engine.mem_write(0x1000 + 8 * 17, b"\x01")
    assert processor.walked(tables) == "entry 17 of the table in frame 0x1 became 0x1"


def test_its_own_entry_must_be_free(tables: Paging) -> None:
    with pytest.raises(TakenEntryError, match="entry 254 of the PML4 in frame 0x0"):
        Processor(12, [0]).lay(tables, PAGE >> 39)


# What is wrong is found

FAULTS = {
    "an index of eight bits": (paging, "level & ENTRIES - 1\n", "level & ENTRIES // 2 - 1\n"),
    "a link without users": (
        paging,
        "table | PRESENT | WRITABLE | (USER if virtual < LOWER_END else 0)\n",
        "table | 3\n",
    ),
    "a link to be read only": (paging, "return table | PRESENT | WRITABLE |", "return table | PRESENT |"),
    "the kernel's pages for users": (paging, "LOWER_END = 1 << 47 ", "LOWER_END = 1 << 64 "),
    "all is writable": (paging, "True, leaf.writable, lower", "True, True, lower"),
    "all is executable": (paging, "return value if leaf.executable else value | EXECUTE_DISABLE", "return value"),
    "unmapped, and still there": (
        paging,
        "        self._write(process, virtual, tables, 0)\n        while",
        "        while",
    ),
    "a table given back and still linked": (
        paging,
        "            self._write(process, virtual, tables, 0)\n            del",
        "            del",
    ),
    "a table is not zeroed": (paging, "            del self.memory[table]\n", ""),
    "a table that is not empty is given back": (
        paging,
        "while tables and self.memory[tables[-1]] == [0] * ENTRIES",
        "while tables",
    ),
    "a target without its highest bits": (paging, "(entry & ADDRESS) >>", "(entry & ADDRESS & 0x3FFFFFFFFF) >>"),
    "the kernel half of one process": (
        paging,
        "self.halves.write(process, index, value)",
        "self.halves.tables[process][index] = value",
    ),
    "a process without the kernel half": (kernel_half, "] = [0] * LOWER + self.master", "] = [0] * ENTRIES"),
    "an update that misses a process": (kernel_half, "while self.pending:", "while len(self.pending) > 1:"),
    "given back while something maps it": (paging, "if self.uses[frame] > 1:", "if self.uses[frame] > 2:"),
    "an exit unmaps one page": (paging, "while self.mapped[process]:", "if self.mapped[process]:"),
    "a refusal keeps frames": (
        paging,
        "                    self.frames.free(table)\n                return None",
        "                    pass\n                return None",
    ),
    "mapped over what is mapped": (paging, "not taken and self._read(process, virtual, tables)", "False"),
    "any address is a page": (
        paging,
        "return is_canonical(virtual) and virtual & (1 << self.page_shift) - 1 == 0",
        "return True",
    ),
    "large leaves are links": (pte, "LARGE = 1 << 7", "LARGE = 1 << 9"),
}


@pytest.fixture
def inject(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts the page tables with a fault in the place of the sound ones."""

    def injected(fault: str) -> None:
        faulty, sound, unsound = FAULTS[fault]
        for module in (kernel_half, pte, paging):
            text = Path(str(module.__file__)).read_text()
            if module is faulty:
                assert text.count(sound) == 1
                text = text.replace(sound, unsound)
            made = ModuleType(module.__name__)
            exec(compile(text, module.__name__, "exec"), made.__dict__)
            monkeypatch.setitem(sys.modules, module.__name__, made)
        monkeypatch.setattr(machine_trial, "Paging", sys.modules[paging.__name__].Paging)
        monkeypatch.setattr(machine_trial, "Unmapped", sys.modules[paging.__name__].Unmapped)
        monkeypatch.setattr(machine_trial, "KernelHalf", sys.modules[kernel_half.__name__].KernelHalf)

    return injected


@pytest.mark.parametrize("fault", FAULTS)
def test_the_processor_alone_finds_a_fault(
    fault: str, inject: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    inject(fault)
    failed = next(found.failed for level in LEVELS if (found := agree(level, 3000, 0, 1)).failed)
    assert failed is not None
    text = as_test(failed)
    names: dict[str, Callable[[], None]] = {}
    exec(text, names)
    with pytest.raises(Exception):  # noqa: B017, PT011
        names["test_replay"]()
    assert len(text.splitlines()) < 60
    monkeypatch.undo()
    exec(text, names)
    names["test_replay"]()


def test_what_was_never_tried_is_said() -> None:
    happened = Counter({what: 1 for what in MUST_HAPPEN if what != "store as a user: fault"})
    assert wrong(Agreement(None, happened, 0)) == "never seen: store as a user: fault"


def test_the_command_says_how_often_they_agree(capfd: pytest.CaptureFixture[str]) -> None:
    assert machine_run.main(["--loads", "30000"]) == 0
    told = capfd.readouterr().out.splitlines()
    assert len(told) == 4
    assert told[-1].startswith("agrees: unicorn ")


def test_the_command_shows_how_they_disagree(inject: Callable[[str], None], capfd: pytest.CaptureFixture[str]) -> None:
    inject("a link without users")
    assert machine_run.main(["--loads", "30000"]) == 1
    told = capfd.readouterr().out
    assert told.count("def test_replay() -> None:") == 3
    assert told.splitlines()[-1].startswith("disagrees: unicorn ")


def test_a_seeded_fault_is_tried_alone() -> None:
    lines = (
        "from memoracle.proofs.mutation.emulator_faults import faults, tried",
        "[fault, *_] = [fault for fault in faults('paging') if fault.function == 'index_of']",
        "print(tried(fault, 600))",
    )
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Verdict(outcome='refuted', by='level 1: ")
