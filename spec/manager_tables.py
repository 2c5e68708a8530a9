"""Page tables as a trace names their frames: which were taken for a page, and which are given back.

Which of the tables on the way to a page has which frame is not told. But those that a mapping takes are the lowest on
that way, as many as there are; so it is known of how many of them something is mapped by. That the reference keeps this
is proved of its page tables (`paging.given-back-tables.are-empty`).
"""

from __future__ import annotations

from dataclasses import dataclass

from memoracle.spec.clauses import Number, Truth, clause

PART_OF = "manager"


@dataclass(frozen=True)
class TakenTogether:
    """State. The tables that one operation took."""

    given_back: Number  # how many of them were given back
    empty: Number  # by how many of them nothing is mapped


@clause("a table by which something is mapped is not given back")
def gives_back_only_empty_tables(s: TakenTogether) -> Truth:
    return s.given_back <= s.empty
