"""What may be asked of an address before anything that it names is looked up."""

from __future__ import annotations

from memoracle.spec.clauses import Number, Truth, clause
from memoracle.spec.geometry import Geometry


@clause("the address is a multiple of the page size")
def address_is_aligned(s: Geometry, address: Number) -> Truth:
    return (address >> s.page_shift) << s.page_shift == address
