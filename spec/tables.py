"""How page tables say what is mapped: 4-level tables in physical memory (Intel SDM volume 3, 4.5).

A table is 512 entries of 64 bits and fills a frame from its beginning. Tables of level 4, the PML4s, are the roots, one
for each process; the leaves are entries of tables of the lowest level, 1, 2 or 3. An entry is 0, or it links a table of
the next level, or it is a leaf. The processor walks from the root, at each level by nine more bits of the address.

Each table is linked by one entry only, so that to change an entry moves no translation but those that pass through it.
That is said table by table: each knows its level, whose it is, and its place, the bits of the addresses that pass
through it, highest first; and an entry links only the table whose place continues its own. The tables of the upper half
belong to the kernel, which is process 0, and are linked by every root alike (see kernel_half).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from memoracle.spec import pte
from memoracle.spec.clauses import Number, Truth, clause, implies, neg, when
from memoracle.spec.kernel_half import ENTRIES, FIRST, is_entry, is_upper

ROOT = 4  # the level of a PML4


@dataclass(frozen=True)
class Reading:
    """How entries are read. What is said of tables holds of any way, as long as a link leads where it should."""

    target: Callable[[Number], Number]  # the frame that an entry points to
    is_link: Callable[[Number, Truth], Truth]  # whether it links a table, of a lower half or the kernel's
    is_leaf: Callable[[Number, Truth], Truth]  # whether it is a leaf that the processor accepts, a user's or not


def by_the_processor(leaf: int, page_shift: Number, physical_bits: Number) -> Reading:
    """As the processor reads them (see pte)."""

    def is_link(value: Number, users: Truth) -> Truth:
        starts = pte.address_bits(value) == (pte.address_bits(value) >> page_shift) << page_shift
        return pte.is_link(value, users) & starts

    def is_leaf(value: Number, users: Truth) -> Truth:
        right = pte.is_present(value) & pte.is_leaf(value, leaf) & (pte.is_user(value) == users)
        state = pte.Entries(physical_bits, 0)
        return right & pte.is_an_entry(value) & neg(pte.is_reserved(state, value, leaf))

    return Reading(lambda value: pte.address_bits(value) >> page_shift, is_link, is_leaf)


@dataclass(frozen=True)
class Tables:
    """State. Frames are numbered as in the bitmap. An implementation need not keep what a table knows, the last six."""

    leaf: int  # the level whose entries are leaves
    reads: Reading
    page_shift: Number  # a frame is 2^page_shift bytes
    physical_bits: Number  # of physical addresses: MAXPHYADDR
    lives: Callable[[Number], Truth]
    root: Callable[[Number], Number]  # by process, the frame of its PML4
    top: Callable[[Number, Number], Number]  # of a process and an index, the entry of its PML4
    entry: Callable[[Number, Number], Number]  # of a lower table and an index
    is_free: Callable[[Number], Truth]  # of a frame: it is not allocated
    level: Callable[[Number], Number]  # of a table; 0 if the frame holds none
    owner: Callable[[Number], Number]  # whose table it is
    place: Callable[[Number], Number]  # the bits of the addresses that pass through it
    is_users: Callable[[Number], Truth]  # whether it is one of a lower half
    parent: Callable[[Number], Number]  # the table that links it, below the PML4
    kept: Callable[[Number], Number]  # the index of some entry that keeps it from being empty


def index_at(virtual: Number, level: int) -> Number:
    """The index of the entry that an address is mapped by in a table of this level."""
    return virtual >> 3 + 9 * level & ENTRIES - 1


def place_at(virtual: Number, level: int) -> Number:
    """The bits of an address, up to bit 47, that lead to a table of this level."""
    return virtual >> 12 + 9 * level & (1 << 36 - 9 * level) - 1


def is_lower_table(s: Tables, table: Number) -> Truth:
    """Whether a frame holds a table below the PML4s."""
    return (s.leaf <= s.level(table)) & (s.level(table) < ROOT)


def entry_for(s: Tables, process: Number, virtual: Number, level: int) -> Number:
    """The entry of this level that a walk to an address reaches; 0 if it ends at a higher level."""
    value = s.top(process, index_at(virtual, ROOT))
    for below in range(ROOT - 1, level - 1, -1):
        value = when(value == 0, 0, s.entry(s.reads.target(value), index_at(virtual, below)))
    return value


def walk(s: Tables, process: Number, virtual: Number) -> Number:
    """The leaf that the processor finds for an address; 0 if it finds none."""
    return entry_for(s, process, virtual, s.leaf)


# Invariants


@clause("each live process has a PML4 of its own")
def roots_are_the_process_own(s: Tables, process: Number) -> Truth:
    root = s.root(process)
    return implies(s.lives(process), (s.level(root) == ROOT) & (s.owner(root) == process))


@clause("each PML4 is a live process's")
def no_root_is_left_over(s: Tables, table: Number) -> Truth:
    owner = s.owner(table)
    return implies(s.level(table) == ROOT, s.lives(owner) & (s.root(owner) == table))


def links(s: Tables, value: Number, level: Number, owner: Number, place: Number, users: Truth) -> Truth:
    """Whether an entry links a table of this level, owner and place, and leaves what is allowed to the leaf."""
    table = s.reads.target(value)
    known = (s.level(table) == level) & (s.owner(table) == owner) & (s.place(table) == place)
    return s.reads.is_link(value, users) & known & (s.is_users(table) == users)


@clause("an entry of a PML4 is 0, or links the table of level 3 that is due there: the process's, or the kernel's")
def roots_link_their_own(s: Tables, process: Number, index: Number) -> Truth:
    value, lower = s.top(process, index), index < FIRST
    right = links(s, value, ROOT - 1, when(lower, process, 0), index, lower)
    return implies(s.lives(process) & is_entry(index) & (value != 0), right)


@clause("an entry above the leaves is 0, or links the table of the next level that is due there")
def tables_link_their_own(s: Tables, table: Number, index: Number) -> Truth:
    value, above = s.entry(table, index), (s.leaf < s.level(table)) & (s.level(table) < ROOT)
    place = (s.place(table) << 9) + index
    right = links(s, value, s.level(table) - 1, s.owner(table), place, s.is_users(table))
    return implies(above & is_entry(index) & (value != 0), right)


@clause("an entry of a table of the lowest level is 0, or a leaf that the processor accepts")
def leaves_are_legal(s: Tables, table: Number, index: Number) -> Truth:
    value = s.entry(table, index)
    legal = s.reads.is_leaf(value, s.is_users(table))
    return implies((s.level(table) == s.leaf) & is_entry(index) & (value != 0), legal)


@clause("each table of level 3 is linked by its owner's PML4")
def third_level_is_linked(s: Tables, table: Number) -> Truth:
    owner, place = s.owner(table), s.place(table)
    value = s.top(owner, place)
    linked = is_entry(place) & (value != 0) & (s.reads.target(value) == table)
    whose = s.lives(owner) & (s.is_users(table) == (place < FIRST))
    return implies(s.level(table) == ROOT - 1, linked & whose)


@clause("each table of a lower level is linked by its parent, a table of the level above")
def lower_levels_are_linked(s: Tables, table: Number) -> Truth:
    parent, index = s.parent(table), s.place(table) & ENTRIES - 1
    value = s.entry(parent, index)
    linked = (s.level(parent) == s.level(table) + 1) & (value != 0) & (s.reads.target(value) == table)
    return implies((s.leaf <= s.level(table)) & (s.level(table) < ROOT - 1), linked)


@clause("a table has the level of a PML4, of the leaves, or of what is between")
def levels_are_four(s: Tables, table: Number) -> Truth:
    return (s.level(table) == 0) | ((s.leaf <= s.level(table)) & (s.level(table) <= ROOT))


@clause("a frame that holds a table is not free")
def tables_are_not_free(s: Tables, table: Number) -> Truth:
    return implies(s.level(table) != 0, neg(s.is_free(table)))


@clause("no table but a PML4 is empty")
def no_table_is_empty(s: Tables, table: Number) -> Truth:
    kept = s.kept(table)
    return implies(is_lower_table(s, table), is_entry(kept) & (s.entry(table, kept) != 0))


@clause("all PML4s have the same upper half")
def upper_halves_are_equal(s: Tables, process: Number, index: Number) -> Truth:
    return implies(s.lives(process) & is_upper(index), s.top(process, index) == s.top(0, index))


@clause("a frame that is free, or holds a table, lies where an entry can point to")
def frames_are_addressable(s: Tables, table: Number) -> Truth:
    reached = (0 <= table) & ((table << s.page_shift) >> s.physical_bits == 0)
    return implies(s.is_free(table) | (s.level(table) != 0), reached)


@clause("the kernel's own process always lives")
def kernel_lives(s: Tables) -> Truth:
    return s.lives(0)


INVARIANTS = (
    roots_are_the_process_own,
    no_root_is_left_over,
    roots_link_their_own,
    tables_link_their_own,
    leaves_are_legal,
    third_level_is_linked,
    lower_levels_are_linked,
    levels_are_four,
    tables_are_not_free,
    no_table_is_empty,
    upper_halves_are_equal,
    frames_are_addressable,
    kernel_lives,
)


# Theorems


@clause("a walk passes only through tables that belong where it passes")
def walks_stay_in_place(s: Tables, process: Number, virtual: Number) -> Truth:
    holds: Truth = True
    lower = index_at(virtual, ROOT) < FIRST
    for level in range(ROOT - 1, s.leaf - 1, -1):
        value = entry_for(s, process, virtual, level + 1)
        table = s.reads.target(value)
        here = (s.level(table) == level) & (s.place(table) == place_at(virtual, level))
        whose = (s.owner(table) == when(lower, process, 0)) & (s.is_users(table) == lower)
        holds = holds & implies(value != 0, here & whose)
    return implies(s.lives(process), holds)


@clause("a walk to an address of the upper half comes to the same leaf in every process")
def walks_to_the_kernel_are_alike(s: Tables, process: Number, other: Number, virtual: Number) -> Truth:
    both = s.lives(process) & s.lives(other) & is_upper(index_at(virtual, ROOT))
    return implies(both, walk(s, process, virtual) == walk(s, other, virtual))


@clause("two entries do not link the same table, but for those of the upper half in each PML4")
def tables_are_linked_once(s: Tables, table: Number, index: Number, second: Number, place: Number) -> Truth:
    one, two = s.entry(table, index), s.entry(second, place)
    above = (
        (s.leaf < s.level(table)) & (s.leaf < s.level(second)) & is_lower_table(s, table) & is_lower_table(s, second)
    )
    same = (one != 0) & (two != 0) & (s.reads.target(one) == s.reads.target(two)) & is_entry(index) & is_entry(place)
    return implies(above & same, (table == second) & (index == place))


@clause("each table is a live process's, so none outlives its process")
def no_table_outlives_its_process(s: Tables, table: Number) -> Truth:
    return implies(s.level(table) != 0, s.lives(s.owner(table)))


def is_passed(s: Tables, process: Number, virtual: Number, table: Number) -> Truth:
    """Whether the walk to an address passes through this frame: as the PML4, or as a table below it."""
    passed: Truth = s.root(process) == table
    for level in range(ROOT - 1, s.leaf - 1, -1):
        value = entry_for(s, process, virtual, level + 1)
        passed = passed | ((value != 0) & (s.reads.target(value) == table))
    return passed


@clause("no walk passes through a frame that is free, so nothing is mapped by a table that was given back")
def free_frames_map_nothing(s: Tables, process: Number, virtual: Number, table: Number) -> Truth:
    return implies(s.lives(process) & s.is_free(table), neg(is_passed(s, process, virtual, table)))


THEOREMS = (
    walks_stay_in_place,
    walks_to_the_kernel_are_alike,
    tables_are_linked_once,
    no_table_outlives_its_process,
    free_frames_map_nothing,
)
