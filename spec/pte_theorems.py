"""What follows from the law of page-table entries, of all values of 64 bits."""

from __future__ import annotations

from memoracle.spec import pat
from memoracle.spec.clauses import Number, Truth, clause, implies, neg
from memoracle.spec.pte import (
    LOWEST_LEVEL,
    Addresses,
    Processor,
    address_of,
    cache_of,
    encodes_no_reserved_bit,
    is_leaf,
    is_present,
    is_user,
    is_writable,
    leaf_is_possible,
    leaf_is_read_as_asked,
    lowest_is_asked_for_as_leaf,
    no_other_bit_is_set,
    nothing_reserved_is_set,
    pat_index,
    physical_is_addressable,
    physical_is_aligned,
    type_is_available,
)

PART_OF = "pte"


def is_plain(s: Addresses, value: Number, level: Number) -> Truth:
    """Whether an entry could have been encoded: nothing but its fields is set."""
    return encodes_no_reserved_bit(s, value, level) & no_other_bit_is_set(s, value)


@clause("whatever is read of an entry without reserved bits can be asked for")
def what_is_read_can_be_asked(s: Processor, value: Number, level: Number) -> Truth:
    leaf, physical, cache = is_leaf(value, level), address_of(value, level), cache_of(s, value, level)
    possible = leaf_is_possible(s, leaf, level) & lowest_is_asked_for_as_leaf(s, leaf, level)
    address = physical_is_aligned(s, physical, leaf, level) & physical_is_addressable(s, physical)
    askable = possible & address & type_is_available(s, leaf, cache, level)
    return implies(nothing_reserved_is_set(s, value, level), askable)


@clause("two entries of a level that say the same, by the same index, are the same")
def no_two_entries_say_the_same(s: Addresses, value: Number, other: Number, level: Number) -> Truth:
    allow_the_same = (
        (is_present(value) == is_present(other))
        & (is_writable(value) == is_writable(other))
        & (is_user(value) == is_user(other))
    )
    same = (address_of(value, level) == address_of(other, level)) & (is_leaf(value, level) == is_leaf(other, level))
    by_index = pat_index(value, level) == pat_index(other, level)
    plain = is_plain(s, value, level) & is_plain(s, other, level)
    return implies(plain & allow_the_same & same & by_index, value == other)


@clause("an entry that links a table names an index of the lower half")
def links_name_the_lower_half(s: object, value: Number, level: Number) -> Truth:
    return pat.is_allowed(pat_index(value, level), neg(is_leaf(value, level)))


@clause("an entry of level 1 that is asked for as a link may be the leaf that was meant")
def lowest_link_may_be_a_leaf(s: Processor, physical: Number, cache: Number, value: Number) -> Truth:
    level = LOWEST_LEVEL
    aligned = physical_is_aligned(s, physical, False, level) == physical_is_aligned(s, physical, True, level)
    available = type_is_available(s, False, cache, level) == type_is_available(s, True, cache, level)
    return aligned & available & leaf_is_read_as_asked(s, False, value, level)


THEOREMS = (
    what_is_read_can_be_asked,
    no_two_entries_say_the_same,
    links_name_the_lower_half,
    lowest_link_may_be_a_leaf,
)
