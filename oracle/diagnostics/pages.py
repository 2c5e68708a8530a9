"""What is said of a page where a clause broke: what is mapped there in truth, and what was seen."""

from __future__ import annotations

from typing import Any, cast

from memoracle.impl.paging import Attributes, Paging
from memoracle.spec import addresses
from memoracle.spec import paging as law
from memoracle.spec.clauses import Clause
from memoracle.spec.paging import Mappings
from memoracle.trace.memory_types import NAMES


def mappings_of(paging: Paging) -> Mappings:
    """What these tables map, in the law's words; nobody asks here which of a frame's uses a page is."""
    shift = paging.page_shift

    def attributes(space: Any, page: Any) -> Attributes:
        return paging.attributes(space, page) or Attributes(0, False, False, False, False)

    return Mappings(
        page_shift=shift,
        physical_bits=paging.layout.physical_address_bits,
        pat_register=paging.layout.pat_register,
        counted=paging.counted << shift,
        direct_start=paging.direct_start,
        direct_end=paging.direct_end,
        lives=lambda process: process in paging.roots,
        is_mapped=lambda space, page: paging.translate(cast(int, space), cast(int, page)) is not None,
        physical=lambda space, page: paging.translate(cast(int, space), cast(int, page)) or 0,
        cache=lambda space, page: attributes(space, page).cache,
        writable=lambda space, page: attributes(space, page).writable,
        executable=lambda space, page: attributes(space, page).executable,
        global_=lambda space, page: attributes(space, page).global_,
        uses=lambda physical: paging.uses.get(cast(int, physical) >> shift, 0),
        number_of=lambda space, page: 0,
        space_numbered=lambda physical, number: 0,
        page_numbered=lambda physical, number: 0,
    )


def describe(clause: Clause, paging: Paging, virtual: int, physical: int = 0, cache: int = 0) -> str:
    """What was seen, where this clause about an address or a leaf broke."""
    size = 1 << paging.page_shift
    if clause is law.frame_is_aligned:
        return f"physical address {physical:#x} is not a multiple of the page size, {size:#x}"
    if clause is law.frame_is_addressable:
        bits = paging.layout.physical_address_bits
        return f"physical address {physical:#x} is past the end of {bits} bits"
    if clause is law.type_is_available:
        return f"no index of the page attribute table {paging.layout.pat_register:#x} has the type {NAMES[cache]}"
    if clause is law.page_is_aligned:
        return f"{virtual:#x} is not a multiple of the page size, {size:#x}"
    if clause is law.page_is_canonical:
        return f"{virtual:#x} is not canonical: its bits 63 to 47 are not equal"
    if clause is addresses.address_has_64_bits:
        return f"{virtual:#x} is not an address of 64 bits"
    return f"nothing is mapped at {virtual:#x}"


def told(attributes: Attributes) -> str:
    """Attributes in words."""
    allowed = [
        "writable" if attributes.writable else "read-only",
        "user" if attributes.user else "kernel",
        "executable" if attributes.executable else "not executable",
        "global" if attributes.global_ else "not global",
    ]
    return ", ".join([NAMES[attributes.cache], *allowed])


def around(paging: Paging, process: int, virtual: int, line: int, frame_is_known: bool) -> dict[str, Any]:
    """The state around an address: its page, and what is mapped there. line: the one that mapped it, or 0."""
    page = virtual >> paging.page_shift << paging.page_shift
    state: dict[str, Any] = {"process": process, "page": f"{page:#x}"}
    physical, attributes = paging.translate(process, page), paging.attributes(process, page)
    if physical is None or attributes is None:
        return state | {"mapped": False}
    if not frame_is_known:
        return state | {"physical": "unknown", "line": line or None}
    uses = paging.uses.get(physical >> paging.page_shift)
    return state | {"physical": f"{physical:#x}", "line": line or None, "allowed": told(attributes), "uses": uses}
