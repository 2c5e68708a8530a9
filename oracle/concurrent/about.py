"""What an operation is about: places of spaces, which it may change; and which operations are independent.

Two operations of which none changes what the other is about, *independent* ones, may change places in any order: if
both are accepted one after the other, they are so the other way round, and the same comes of it. That is how the law
is made: whether a block may be given or taken back depends on its own places (at `exact` on the whole space), a refusal
for want of room and a count of what is free on the whole space, and an answer about a place on this place. What is not
known to be so narrow is taken to be about all places of its spaces, or about everything.
"""

from __future__ import annotations

from dataclasses import dataclass

FRAMES, HEAP, PAGES, ENTRIES, RANGE, PROCESS = "frames", "heap", "pages", "entries", "range", "process"
Space = tuple[str, int]
LAST = 1 << 1100  # past every place
EVERYTHING: Space = ("everything", 0)


@dataclass(frozen=True, slots=True)
class Touch:
    """Places of a space, from the first to the one before `end`. changes: whether they may be others afterwards."""

    space: Space
    first: int
    end: int
    changes: bool


@dataclass(eq=False, slots=True)
class About:
    """What one operation is about.

    changes: whether anything may be otherwise afterwards.  takes: it only makes less room.
    lacks: it failed, and would fail with still less room.  ordered: what comes of it may depend on when it happens.
    undone_whole: it takes what one other operation gives back, or gives back just what one other took.
    sets: it changes one thing, and what that is afterwards does not depend on what it was, if it is legal.
    """

    touches: tuple[Touch, ...]
    changes: bool = False
    takes: bool = False
    lacks: bool = False
    ordered: bool = False
    undone_whole: bool = False
    sets: bool = False


def conflict(one: About, other: About) -> bool:
    """Whether they are not independent."""
    if not one.changes and not other.changes:
        return False
    for a in one.touches:
        for b in other.touches:
            if (a.changes or b.changes) and (
                (a.space == b.space and a.first < b.end and b.first < a.end)
                or a.space == EVERYTHING
                or b.space == EVERYTHING
            ):
                return True
    return False


def whole(space: Space, changes: bool = True) -> Touch:
    return Touch(space, -LAST, LAST, changes)
