"""Walks the page tables of a snapshot: each table once, however it is linked, so that any dump comes to an end."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

from memoracle.diagnostics import entries as words
from memoracle.impl import pte as code
from memoracle.snapshot.findings import MOST_KEPT, NO_EXECUTE_DISABLE, Entry, Findings, Rule
from memoracle.snapshot.levels import FOUR_LEVELS, Levels
from memoracle.snapshot.mappings import Attributes, Mappings
from memoracle.snapshot.memory import Memory
from memoracle.spec import pte as law
from memoracle.spec import tables as tables_law
from memoracle.spec.clauses import Clause

MOST_TABLES = 1 << 17  # that are walked: 512 MiB of page tables
MOST_FOUND = 1 << 13  # divergences after which the walk ends
FEWEST_ENTRIES, FEW = 8, 4  # of a root that may hold something else; that are shown of one that does
KEPT_TABLES = 16  # whose entries are at hand
# Bits of a leaf by which it differs from one of other attributes; the accessed and dirty bits are the processor's.
KEPT = code.WRITABLE | code.USER | code.WRITE_THROUGH | code.CACHE_DISABLE | code.GLOBAL | code.EXECUTE_DISABLE
LINKED_ONCE = "each table is linked by one entry, or by each {top} in the same place of the upper half"


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
    """An address space. root: the physical address of its PML4, or PML5.  entries: None if that cannot be read."""

    number: int
    root: int
    entries: Sequence[int] | None
    levels: Levels

    def entry(self, index: int) -> Entry:
        """Of an entry of the root."""
        value = 0 if self.entries is None else self.entries[index]
        return Entry(self.number, self.levels.first_address(index), self.levels.root, self.root + 8 * index, value)


class Walk:
    """All spaces of one snapshot, walked. whole: nothing was left out because there is too much."""

    def __init__(
        self,
        memory: Memory,
        roots: Sequence[int],
        layout: code.Layout,
        findings: Findings,
        execute_disable: bool = True,
        levels: Levels = FOUR_LEVELS,
    ) -> None:
        """roots: the physical addresses of the PML4s, or PML5s, each once.  execute_disable: EFER.NXE is set."""
        self.memory = memory
        self.layout = layout
        self.levels = levels
        self.findings = findings
        self.mappings = Mappings()
        self.unreadable: list[Unreadable] = []
        self.unreadable_tables = 0
        self.whole = True
        self.doubtful: set[int] = set()  # spaces whose root does not look like one
        self.not_followed = 0  # tables of these that are not in the snapshot
        self.recursive: dict[int, list[int]] = {}  # by the index of an entry that links its own root: of which spaces
        self.spaces = [Space(number, root, memory.table(root), levels) for number, root in enumerate(roots)]
        self.tables = {each.root: Table(levels.root, each.number, each.number, 0, True, None) for each in self.spaces}
        more = 0 if execute_disable else code.EXECUTE_DISABLE
        self.reserved = {
            level: [code.reserved(layout, large, levels.form(level)) | more for large in (0, code.LARGE)]
            for level in range(law.LOWEST_LEVEL, levels.root + 1)
        }
        self.read = lru_cache(KEPT_TABLES)(memory.table)
        self.as_law = lru_cache(self.tables_by_law)
        self.numbers: dict[tuple[int, int, bool, Allowed], dict[int, int]] = {}
        for space in self.spaces:
            if space.entries is None:
                self.cannot_read(Unreadable(space.number, space.root, None))
            elif self.looks_like_a_root(space, space.entries):
                self.walk_table(space, space.root, levels.root, 0, space.entries, Allowed())

    def looks_like_a_root(self, space: Space, entries: Sequence[int]) -> bool:
        """Whether most entries may be right. Of what holds something else few are shown, and none is followed."""
        top = self.levels.root
        present = [space.entry(index) for index, value in enumerate(entries) if value & code.PRESENT]
        reserved = [each for each in present if each.value & self.reserved[top][0]]
        if len(present) < FEWEST_ENTRIES:
            return True
        links = [each for each in present if not each.value & self.reserved[top][0]]
        nowhere = [each for each in links if self.read(each.value & code.ADDRESS) is None]
        if 2 * (len(reserved) + len(nowhere)) <= len(present):
            return True
        self.doubtful.add(space.number)
        words = (
            f"space {space.number}: what is at {space.root:#x} does not look like a {self.levels.top}: of"
            f" {len(present)} entries that are present {len(reserved)} have reserved bits set, and"
            f" {len(nowhere)} link tables that are not in the snapshot. Is its CR3 right? It is not judged further"
        )
        self.findings.warn(words)
        for each in reserved[:FEW]:
            self.refuse(each)
        for each in nowhere[:FEW]:
            self.cannot_read(Unreadable(space.number, each.value & code.ADDRESS, each))
            self.not_followed += 1
        return False

    @property
    def read_tables(self) -> int:
        return len(self.tables) + self.not_followed - self.unreadable_tables

    def cannot_read(self, unreadable: Unreadable) -> None:
        self.unreadable_tables += 1
        if len(self.unreadable) < MOST_KEPT:
            self.unreadable.append(unreadable)

    def walk_table(
        self, space: Space, table: int, level: int, virtual: int, entries: Sequence[int], allowed: Allowed
    ) -> None:
        """virtual: the first address that the table maps."""
        bytes_each = self.levels.bytes_each(level)
        link_bits, leaf_bits = self.reserved[level]
        address, kept = code.ADDRESS & -bytes_each, KEPT | (code.PAT[level] if level < law.ROOT else 0)
        is_lower = virtual < self.levels.lower_half_end
        numbers = self.numbers.setdefault((space.number, level, is_lower, allowed), {})
        for index, value in enumerate(entries):
            if not value & code.PRESENT:
                continue
            first = self.levels.first_address(index) if level == self.levels.root else virtual + index * bytes_each
            leaf = level < law.ROOT and code.is_leaf(value, level)
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
        form = self.levels.form(entry.level)
        clause = law.decode.broken(processor, value=entry.value, level=form)
        if clause is None:
            self.found(entry, NO_EXECUTE_DISABLE, "the entry is present, and its bit 63 is set", "bit 63 is 0")
            return
        message = f"the entry is present, with {words.reserved(self.layout, entry.value, form, entry.level)}"
        self.found(entry, clause, message, "these bits are 0, or the entry is not present")

    def found(self, entry: Entry, rule: Clause | Rule, message: str, legal: str) -> None:
        self.findings.add(entry, rule, message, legal)
        if self.findings.total >= MOST_FOUND:
            self.whole = False

    def follow(self, space: Space, link: Entry, allowed: Allowed) -> None:
        """Walks the table that an entry links, unless it was found before."""
        target, level = link.value & code.ADDRESS, link.level - 1
        if target == space.root and link.level == self.levels.root:
            self.recursive.setdefault(self.levels.root_index(link.virtual), []).append(space.number)
            return
        if target in self.tables:
            self.meet_again(link, target, level)
            return
        if len(self.tables) >= MOST_TABLES:
            self.whole = False
            return
        is_lower = link.virtual < self.levels.lower_half_end
        place = self.levels.place(link.virtual, level)
        self.tables[target] = Table(level, space.number, space.number if is_lower else 0, place, is_lower, link)
        entries = self.memory.table(target)
        if entries is None:
            self.cannot_read(Unreadable(space.number, target, link))
        else:
            self.walk_table(space, target, level, link.virtual, entries, allowed.narrowed(link.value))

    def meet_again(self, link: Entry, target: int, level: int) -> None:
        """A table that was found before; it is not walked again, wherever it is."""
        virtual, lowest = self.levels.in_law(link.virtual, level)
        if tables_law.walks_stay_in_place(self.as_law(lowest), link.space, virtual):
            return
        known, top = self.tables[target], self.levels.top
        before = f"it is the {top} of space {known.space}"
        if known.link is not None:
            before = f"it is a table of level {known.level} of space {known.space}, at {known.link.virtual:#x}"
            before += f" (linked by the entry at {known.link.address:#x})"
        message = f"the table at {target:#x} is linked here as one of level {level}, but {before}"
        self.found(link, tables_law.walks_stay_in_place, message, LINKED_ONCE.format(top=top))

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
            level=lambda frame: self.levels.in_law(0, known(frame).level)[1],
            owner=lambda frame: known(frame).owner,
            place=lambda frame: known(frame).place,
            is_users=lambda frame: known(frame).is_users,
            parent=lambda frame: 0,
            kept=lambda frame: 0,
        )

    def leaf(self, space: int, virtual: int) -> Entry:
        """The entry that maps an address which is mapped."""
        table = self.spaces[space].root
        for level in range(self.levels.root, 0, -1):
            index, entries = cast(int, tables_law.index_at(virtual, level)), self.read(table)
            assert entries is not None, "the walk read it"
            found = Entry(space, virtual, level, table + 8 * index, entries[index])
            if level < law.ROOT and code.is_leaf(entries[index], level):
                break
            table = entries[index] & code.ADDRESS
        return found
