"""What follows from the law of what is mapped."""

from __future__ import annotations

from memoracle.spec.clauses import Number, Truth, clause, implies, neg
from memoracle.spec.paging import Mappings, is_lower, is_use, shows, space_of

PART_OF = "paging"


@clause("a frame without uses is shown by no page, but those of the direct map")
def unused_frames_are_unmapped(s: Mappings, space: Number, page: Number) -> Truth:
    unused = is_use(s, page, s.physical(space, page)) & (s.uses(s.physical(space, page)) == 0)
    return implies(unused, neg(s.is_mapped(space, page)))


@clause("a frame with uses is shown by a page")
def used_frames_are_mapped(s: Mappings, physical: Number) -> Truth:
    space, page = s.space_numbered(physical, 0), s.page_numbered(physical, 0)
    return implies(0 < s.uses(physical), s.is_mapped(space, page) & (s.physical(space, page) == physical))


@clause("what is mapped in the upper half is mapped in every process, and alike")
def kernel_pages_appear_in_all(s: Mappings, process: Number, other: Number, page: Number) -> Truth:
    return implies(neg(is_lower(page)), shows(s, process, page) == shows(s, other, page))


@clause("a page has one frame: no two uses of a frame are the same page")
def uses_are_different_pages(s: Mappings, physical: Number, number: Number, later: Number) -> Truth:
    both = (0 <= number) & (number < later) & (later < s.uses(physical))
    same = (s.space_numbered(physical, number) == s.space_numbered(physical, later)) & (
        s.page_numbered(physical, number) == s.page_numbered(physical, later)
    )
    return neg(both & same)


THEOREMS = (
    unused_frames_are_unmapped,
    used_frames_are_mapped,
    kernel_pages_appear_in_all,
    uses_are_different_pages,
)


# Theorems about what an operation changes


def moves_no_other_page(
    before: Mappings, after: Mappings, process: Number, virtual: Number, other: Number, page: Number
) -> Truth:
    """No other page's translation changes, in this process or another; a kernel page is one page in all of them."""
    space = space_of(other, page)
    elsewhere = (space != space_of(process, virtual)) | (page != virtual)
    same = (after.is_mapped(space, page) == before.is_mapped(space, page)) & (
        after.physical(space, page) == before.physical(space, page)
    )
    return implies(elsewhere, same)
