"""Walks the page tables of a snapshot: each table once, however it is linked, so that any dump comes to an end."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

from memoracle.diagnostics import entries as words
from memoracle.impl import pte as code
from memoracle.snapshot.findings import MOST_KEPT, NO_EXECUTE_DISABLE, Entry, Findings, Rule
from memoracle.snapshot.mappings import Attributes, Mappings
from memoracle.snapshot.memory import Memory
from memoracle.spec import pte as law
from memoracle.spec import tables as tables_law
from memoracle.spec.clauses import Clause
from memoracle.spec.geometry_keys import LOWER_HALF_END, UPPER_HALF_START
from memoracle.spec.kernel_half import FIRST

MOST_TABLES = 1 << 17  # that are walked: 512 MiB of page tables
MOST_FOUND = 1 << 13  # divergences after which the walk ends
KEPT_TABLES = 16  # whose entries are at hand
LEVELS = range(law.LOWEST_LEVEL, law.ROOT + 1)
# Bits of a leaf by which it differs from one of other attributes; the accessed and dirty bits are the processor's.
KEPT = code.WRITABLE | code.USER | code.WRITE_THROUGH | code.CACHE_DISABLE | code.GLOBAL | code.EXECUTE_DISABLE
LINKED_ONCE = "each table is linked by one entry, or by each PML4 in the same place of the upper half"


class Table(NamedTuple):
    """Where a table was found first. place: the bits of the addresses that pass through it, as the law has it.

    owner: whose it is by the law, where those of the upper half are process 0's.  link: the entry that links it; None
    for a PML4.
    """

    level: int
    space: int
    owner: int
    place: int
    is_users: bool
    link: Entry | None


class Unreadable(NamedTuple):
    """A table that the snapshot does not hold, and the entry that leads to it; None for a PML4."""

    space: int
    table: int
    link: Entry | None


class Allowed(NamedTuple):
    """What the entries on the way leave to those below."""

    writable: bool = True
    user: bool = True
    executable: bool = True

    def narrowed(self, value: int) -> Allowed:
        """As an entry narrows it (Intel SDM volume 3, 4.6)."""
        return Allowed(
            self.writable and value & code.WRITABLE != 0,
            self.user and value & code.USER != 0,
            self.executable and value & code.EXECUTE_DISABLE == 0,
        )


class Space(NamedTuple):
    """An address space. root: the physical address of its PML4.  entries: None if that cannot be read."""

    number: int
    root: int
    entries: Sequence[int] | None

    def entry(self, index: int) -> Entry:
        """Of an entry of the PML4."""
        value = 0 if self.entries is None else self.entries[index]
        return Entry(self.number, first_address(index), law.ROOT, self.root + 8 * index, value)


class Walk:
    """All spaces of one snapshot, walked. whole: nothing was left out because there is too much."""

    def __init__(
        self,
        memory: Memory,
        roots: Sequence[int],
        layout: code.Layout,
        findings: Findings,
        execute_disable: bool = True,
    ) -> None:
        """roots: the physical addresses of the PML4s, each once.  execute_disable: EFER.NXE is set."""
        self.memory = memory
        self.layout = layout
        self.findings = findings
        self.mappings = Mappings()
        self.unreadable: list[Unreadable] = []
        self.unreadable_tables = 0
        self.whole = True
        self.recursive: dict[int, list[int]] = {}  # by the index of an entry that links its own PML4: of which spaces
        self.spaces = [Space(number, root, memory.table(root)) for number, root in enumerate(roots)]
        self.tables = {each.root: Table(law.ROOT, each.number, each.number, 0, True, None) for each in self.spaces}
        more = 0 if execute_disable else code.EXECUTE_DISABLE
        self.reserved = {
            level: [code.reserved(layout, large, level) | more for large in (0, code.LARGE)] for level in LEVELS
        }
        self.read = lru_cache(KEPT_TABLES)(memory.table)
        self.as_law = lru_cache(self.tables_by_law)
        self.numbers: dict[tuple[int, int, bool, Allowed], dict[int, int]] = {}
        for space in self.spaces:
            if space.entries is None:
                self.cannot_read(Unreadable(space.number, space.root, None))
            else:
                self.walk_table(space, space.root, law.ROOT, 0, space.entries, Allowed())

    @property
    def read_tables(self) -> int:
        return len(self.tables) - self.unreadable_tables

    def cannot_read(self, unreadable: Unreadable) -> None:
        self.unreadable_tables += 1
        if len(self.unreadable) < MOST_KEPT:
            self.unreadable.append(unreadable)

    def walk_table(
        self, space: Space, table: int, level: int, virtual: int, entries: Sequence[int], allowed: Allowed
    ) -> None:
        """virtual: the first address that the table maps."""
        bytes_each = code.mapped(True, level)
        link_bits, leaf_bits = self.reserved[level]
        address, kept = code.ADDRESS & -bytes_each, KEPT | (code.PAT[level] if level < law.ROOT else 0)
        is_lower = virtual < LOWER_HALF_END
        numbers = self.numbers.setdefault((space.number, level, is_lower, allowed), {})
        for index, value in enumerate(entries):
            if not value & code.PRESENT:
                continue
            first = first_address(index) if level == law.ROOT else virtual + index * bytes_each
            leaf = level == law.LOWEST_LEVEL or code.is_leaf(value, level)
            if value & (leaf_bits if leaf else link_bits):
                self.refuse(Entry(space.number, first, level, table + 8 * index, value))
            elif leaf:
                flags = value & kept
                if (number := numbers.get(flags)) is None:
                    number = numbers[flags] = self.number_of(space, level, is_lower, allowed, value)
                self.mappings.add(first, value & address, bytes_each, number)
            else:
                self.follow(space, Entry(space.number, first, level, table + 8 * index, value), allowed)
            if not self.whole:
                return

    def number_of(self, space: Space, level: int, is_lower: bool, allowed: Allowed, value: int) -> int:
        """By which the attributes of a page are known."""
        fields = code.decode(self.layout, value, level)
        assert fields is not None, "no reserved bit is set"
        combined = allowed.narrowed(value)
        is_global = value & code.GLOBAL != 0
        return self.mappings.number(Attributes(space.number, level, is_lower, *combined, is_global, fields.cache))

    def refuse(self, entry: Entry) -> None:
        """An entry on which the processor faults; what it would lead to is not looked at."""
        processor = law.Entries(self.layout.physical_address_bits, self.layout.pat_register)
        clause = law.decode.broken(processor, value=entry.value, level=entry.level)
        if clause is None:
            self.found(entry, NO_EXECUTE_DISABLE, "the entry is present, and its bit 63 is set", "bit 63 is 0")
            return
        message = f"the entry is present, with {words.reserved(self.layout, entry.value, entry.level)}"
        self.found(entry, clause, message, "these bits are 0, or the entry is not present")

    def found(self, entry: Entry, rule: Clause | Rule, message: str, legal: str) -> None:
        self.findings.add(entry, rule, message, legal)
        if self.findings.total >= MOST_FOUND:
            self.whole = False

    def follow(self, space: Space, link: Entry, allowed: Allowed) -> None:
        """Walks the table that an entry links, unless it was found before."""
        target, level = link.value & code.ADDRESS, link.level - 1
        if target == space.root and link.level == law.ROOT:
            index = cast(int, tables_law.index_at(link.virtual, law.ROOT))
            self.recursive.setdefault(index, []).append(space.number)
            return
        if target in self.tables:
            self.meet_again(link, target, level)
            return
        if len(self.tables) >= MOST_TABLES:
            self.whole = False
            return
        is_lower = link.virtual < LOWER_HALF_END
        place = cast(int, tables_law.place_at(link.virtual, level))
        self.tables[target] = Table(level, space.number, space.number if is_lower else 0, place, is_lower, link)
        entries = self.memory.table(target)
        if entries is None:
            self.cannot_read(Unreadable(space.number, target, link))
        else:
            self.walk_table(space, target, level, link.virtual, entries, allowed.narrowed(link.value))

    def meet_again(self, link: Entry, target: int, level: int) -> None:
        """A table that was found before; it is not walked again, wherever it is."""
        if tables_law.walks_stay_in_place(self.as_law(level), link.space, link.virtual):
            return
        known = self.tables[target]
        before = f"it is the PML4 of space {known.space}"
        if known.link is not None:
            before = f"it is a table of level {known.level} of space {known.space}, at {known.link.virtual:#x}"
            before += f" (linked by the entry at {known.link.address:#x})"
        message = f"the table at {target:#x} is linked here as one of level {level}, but {before}"
        self.found(link, tables_law.walks_stay_in_place, message, LINKED_ONCE)

    def tables_by_law(self, leaf: int) -> tables_law.Tables:
        """What the law says of tables, where these are the tables, down to this level."""
        nowhere = Table(0, 0, 0, 0, False, None)
        shift = law.TABLE_SHIFT

        def known(frame: Any) -> Table:
            return self.tables.get(frame << shift, nowhere)

        def entry(frame: Any, index: Any) -> int:
            entries = self.read(frame << shift)
            return 0 if entries is None else entries[index]

        def top(process: Any, index: Any) -> int:
            entries = self.spaces[process].entries
            return 0 if entries is None else entries[index]

        return tables_law.Tables(
            leaf=leaf,
            reads=tables_law.by_the_processor(leaf, shift, self.layout.physical_address_bits),
            page_shift=shift,
            physical_bits=self.layout.physical_address_bits,
            lives=lambda process: True,
            root=lambda process: self.spaces[cast(int, process)].root >> shift,
            top=top,
            entry=entry,
            is_free=lambda frame: False,
            level=lambda frame: known(frame).level,
            owner=lambda frame: known(frame).owner,
            place=lambda frame: known(frame).place,
            is_users=lambda frame: known(frame).is_users,
            parent=lambda frame: 0,
            kept=lambda frame: 0,
        )

    def leaf(self, space: int, virtual: int) -> Entry:
        """The entry that maps an address which is mapped."""
        table = self.spaces[space].root
        for level in reversed(LEVELS):
            index, entries = cast(int, tables_law.index_at(virtual, level)), self.read(table)
            assert entries is not None, "the walk read it"
            found = Entry(space, virtual, level, table + 8 * index, entries[index])
            if code.is_leaf(entries[index], level):
                break
            table = entries[index] & code.ADDRESS
        return found


def first_address(index: int) -> int:
    """The canonical address that an entry of a PML4 maps first."""
    return index << 39 if index < FIRST else UPPER_HALF_START + (index - FIRST << 39)
