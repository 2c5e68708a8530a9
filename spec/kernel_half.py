"""The kernel half: entries 256 to 511 of every process's top-level table are the same, while processes come and go.

A process's kernel code runs on that process's own tables, so the kernel is mapped by the upper half of each PML4 (Intel
SDM volume 3, 4.5: 512 entries, one for each 512 GiB). The master half is a copy that belongs to no process. To change
an entry is to broadcast it: under the update lock it is written to the master, then copied process by process, and
the lock is released once every process was reached. Between any two of these steps other processors may create a
process, exit one (also the one whose tables started the update), read any entry, and write lower-half entries. So
each step below is one short critical section, and whatever can happen is some sequence of them.

A process is created from the master, and so has the update in flight from its first moment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from memoracle.spec.clauses import Number, Truth, clause, implies, neg, operation, when

ENTRIES = 512
FIRST = 256  # of the upper half


@dataclass(frozen=True)
class Halves:
    """State. Processes are numbers; 0 is the kernel's own, which always lives."""

    master: Callable[[Number], Number]  # an entry of the upper half
    entry: Callable[[Number, Number], Number]  # of a process and an index
    lives: Callable[[Number], Truth]
    updating: Truth  # the update lock is held, and of the update in flight:
    index: Number
    value: Number
    pending: Callable[[Number], Truth]  # the processes that it has yet to reach


def is_upper(index: Number) -> Truth:
    return (FIRST <= index) & (index < ENTRIES)


def is_entry(index: Number) -> Truth:
    return (0 <= index) & (index < ENTRIES)


# Initially


def blank() -> Halves:
    """Every entry reads 0, and only the kernel lives."""
    return Halves(
        master=lambda index: 0,
        entry=lambda process, index: 0,
        lives=lambda process: process == 0,
        updating=False,
        index=FIRST,
        value=0,
        pending=lambda process: False,
    )


# Invariants


@clause("all kernel halves equal the master, but for the entry of an update in flight")
def halves_are_equal(s: Halves, process: Number, index: Number) -> Truth:
    settled = neg(s.updating) | (index != s.index)
    return implies(s.lives(process) & is_upper(index) & settled, s.entry(process, index) == s.master(index))


@clause("a process that the update in flight has reached has its value")
def reached_means_copied(s: Halves, process: Number) -> Truth:
    reached = s.lives(process) & neg(s.pending(process))
    return implies(s.updating & reached, s.entry(process, s.index) == s.value)


@clause("the master has the value of the update in flight, which is one of an upper entry")
def master_comes_first(s: Halves) -> Truth:
    return implies(s.updating, is_upper(s.index) & (s.master(s.index) == s.value))


@clause("an update waits only for processes that live")
def waits_only_for_the_living(s: Halves, process: Number) -> Truth:
    return implies(s.pending(process), s.lives(process) & s.updating)


@clause("the kernel's own process always lives")
def kernel_lives(s: Halves) -> Truth:
    return s.lives(0)


INVARIANTS = (halves_are_equal, reached_means_copied, master_comes_first, waits_only_for_the_living, kernel_lives)


# Operations, each a single step that may come between any two others


@clause("a new process has a number that no live one has")
def is_new(s: Halves, process: Number) -> Truth:
    return neg(s.lives(process))


@clause("a process's number has 64 bits")
def process_has_64_bits(s: Halves, process: Number) -> Truth:
    return (0 <= process) & (process <= (1 << 64) - 1)


@operation("process.create", guard=[is_new, process_has_64_bits], chooses=["process"])
def create(s: Halves, process: Number) -> Halves:
    """A process is created: an empty lower half, and the master's upper half."""
    return replace(
        s,
        entry=lambda other, index: when(
            other == process, when(index < FIRST, 0, s.master(index)), s.entry(other, index)
        ),
        lives=lambda other: s.lives(other) | (other == process),
    )


@clause("the process lives")
def process_lives(s: Halves, process: Number) -> Truth:
    return s.lives(process)


@clause("the kernel never exits")
def never_exits_the_kernel(s: Halves, process: Number) -> Truth:
    return process != 0


@operation("process.exit", guard=[never_exits_the_kernel, process_lives])
def exit(s: Halves, process: Number) -> Halves:  # noqa: A001
    """A process exits, and no update waits for it any more."""
    return replace(
        s,
        lives=lambda other: s.lives(other) & (other != process),
        pending=lambda other: s.pending(other) & (other != process),
    )


@clause("the entry is one of the lower half")
def index_is_lower(s: Halves, index: Number) -> Truth:
    return (0 <= index) & (index < FIRST)


@clause("the entry is one of the upper half")
def index_is_upper(s: Halves, index: Number) -> Truth:
    return is_upper(index)


@clause("an entry has 64 bits")
def value_is_an_entry(s: Halves, value: Number) -> Truth:
    return (0 <= value) & (value <= (1 << 64) - 1)


@operation("kernel_half.write-lower", guard=[process_lives, index_is_lower, value_is_an_entry])
def write_lower(s: Halves, process: Number, index: Number, value: Number) -> Halves:
    """A lower-half entry is written, in this process alone."""
    return replace(
        s,
        entry=lambda other, i: when((other == process) & (i == index), value, s.entry(other, i)),
    )


@clause("no other update is in flight")
def update_lock_is_free(s: Halves) -> Truth:
    return neg(s.updating)


@operation("kernel_half.begin-update", guard=[update_lock_is_free, index_is_upper, value_is_an_entry])
def begin_update(s: Halves, index: Number, value: Number) -> Halves:
    """The update lock is taken, the master is written, and every process has yet to be reached."""
    return replace(
        s,
        master=lambda i: when(i == index, value, s.master(i)),
        updating=True,
        index=index,
        value=value,
        pending=s.lives,
    )


@clause("the process has yet to be reached")
def process_is_pending(s: Halves, process: Number) -> Truth:
    return s.pending(process)


@operation("kernel_half.copy-to-one", guard=[process_is_pending], chooses=["process"])
def copy_to_one(s: Halves, process: Number) -> Halves:
    """The update reaches one more process."""
    return replace(
        s,
        entry=lambda other, i: when((other == process) & (i == s.index), s.value, s.entry(other, i)),
        pending=lambda other: s.pending(other) & (other != process),
    )


@clause("an update is in flight")
def update_is_in_flight(s: Halves) -> Truth:
    return s.updating


@clause("no process is left to be reached")
def nobody_is_pending(s: Halves, anyone: Number) -> Truth:
    return neg(s.pending(anyone))


@operation("kernel_half.end-update", guard=[update_is_in_flight, nobody_is_pending])
def end_update(s: Halves) -> Halves:
    """The update lock is released."""
    return replace(s, updating=False)


OPERATIONS = (create, exit, write_lower, begin_update, copy_to_one, end_update)


# Queries


@clause("the process and the entry exist")
def entry_exists(s: Halves, process: Number, index: Number) -> Truth:
    return s.lives(process) & is_entry(index)


@clause("an entry reads what was last written to it")
def reads_the_entry(s: Halves, process: Number, index: Number, value: Number) -> Truth:
    return value == s.entry(process, index)


@clause("an entry by which pages are mapped is present: its bit 0 is set")
def is_present_where_used(s: Halves, used: Truth, value: Number) -> Truth:
    return implies(used, value & 1 == 1)


@clause("a table has 512 entries")
def table_is_whole(s: Halves, entries: Number) -> Truth:
    return entries == ENTRIES


# Theorems


@clause("whenever no update is in flight, all kernel halves are equal")
def equal_at_rest(s: Halves, process: Number, other: Number, index: Number) -> Truth:
    alive = s.lives(process) & s.lives(other) & is_upper(index)
    return implies(neg(s.updating) & alive, s.entry(process, index) == s.entry(other, index))


@clause("while an update is in flight, kernel halves differ in its entry at most")
def differ_in_one_entry(s: Halves, process: Number, other: Number, index: Number) -> Truth:
    alive = s.lives(process) & s.lives(other) & is_upper(index)
    return implies(alive & (s.entry(process, index) != s.entry(other, index)), s.updating & (index == s.index))


@clause("an update in flight can go on: whoever it waits for can be reached")
def whoever_is_pending_lives(s: Halves, process: Number) -> Truth:
    return implies(s.pending(process), s.updating & s.lives(process))


THEOREMS = (equal_at_rest, differ_in_one_entry, whoever_is_pending_lives)


# Theorems about what an operation leaves


@clause("a process that was just created has the complete kernel half, the update in flight included")
def half_is_complete(s: Halves, process: Number, index: Number) -> Truth:
    settled = implies(s.updating & (index == s.index), s.entry(process, index) == s.value)
    return implies(is_upper(index), settled & (s.entry(process, index) == s.master(index)))


@clause("an update that ends is seen by all")
def update_is_seen_by_all(s: Halves, process: Number) -> Truth:
    return implies(s.lives(process), s.entry(process, s.index) == s.value)


def keeps_the_master(before: Halves, after: Halves, index: Number) -> Truth:
    """Nothing is lost of the kernel's mappings, whoever exits."""
    return after.master(index) == before.master(index)


def keeps_lower_halves(before: Halves, after: Halves, process: Number, index: Number) -> Truth:
    """The lower halves of all live processes stay as they are."""
    both_live = before.lives(process) & after.lives(process)
    return implies(both_live & neg(is_upper(index)), after.entry(process, index) == before.entry(process, index))


def waits_for_nobody_else(before: Halves, after: Halves, process: Number) -> Truth:
    """An update never comes to wait for one more process, so it ends."""
    return implies(after.pending(process), before.pending(process))
