"""Proof that the tables which the code gives back are those that `spec/manager_tables.py` lets it give back.

A frame that is given back is free; no walk passes through a free frame (`free-frames-map-nothing`), and the code of
map, unmap, create and exit keeps the invariants of which that follows. So of the frames that were taken for tables
together, each that was given back is one by which nothing is mapped: counted one by one, there are no more of these
than of those.
"""

from __future__ import annotations

from memoracle.proofs.components.paging.claims import proved, read_links_up_to_root
from memoracle.proofs.components.paging.symbolic_tables import any_reading, unknown_tables
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec import manager_tables, tables
from memoracle.spec.clauses import Number, Truth, implies, when


@proved(
    "given-back-tables.are-empty",
    "theorem",
    "of tables that were taken together, no more are given back than there are by which nothing is mapped",
)
def given_back_tables_are_empty(run: Run) -> None:
    state = unknown_tables(run, any_reading(run))
    run.assume_all(tables.INVARIANTS, state)
    table, process, virtual = run.point("table"), run.point("process"), run.point("virtual")
    read_links_up_to_root(state, table)
    is_used = run.truth("used")  # if anything is mapped by the table, then something of this process, at this address
    run.suppose(implies(is_used, state.lives(process) & tables.is_passed(state, process, virtual, table)))

    def may_be(given_back: Number, empty: Number) -> Truth:
        return manager_tables.gives_back_only_empty_tables(manager_tables.TakenTogether(given_back, empty))

    given_back, empty = run.number("given_back"), run.number("empty")
    run.assert_goal("so it is of none", may_be(0, 0))
    with_it = may_be(given_back + when(state.is_free(table), 1, 0), empty + when(is_used, 0, 1))
    run.assert_goal("so it is with one more, if it was so before", implies(may_be(given_back, empty), with_it))


@proved("is-passed.each-table-on-the-way", "theorem", "a walk passes through its PML4, and each table that it comes to")
def each_table_on_the_way_is_passed(run: Run) -> None:
    state, process, virtual = unknown_tables(run, any_reading(run)), run.point("process"), run.point("virtual")
    run.assert_goal("through its PML4", tables.is_passed(state, process, virtual, state.root(process)))
    for level in range(tables.ROOT - 1, state.leaf - 1, -1):
        value = tables.entry_for(state, process, virtual, level + 1)
        passed = tables.is_passed(state, process, virtual, state.reads.target(value))
        run.assert_goal(f"through a table of level {level}", implies(value != 0, passed))


GIVEN_BACK = (given_back_tables_are_empty, each_table_on_the_way_is_passed)
