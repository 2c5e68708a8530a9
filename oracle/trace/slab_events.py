"""Events of Linux's allocator of objects: `kmalloc`, `kmem_cache_alloc`, `kfree`, `kmem_cache_free`.

    [002] .... 808.188917: kmalloc: call_site=c104deff ptr=ffff88003dd83800 bytes_req=29 bytes_alloc=32 gfp_flags=...
    [002] .... 808.188926: kfree: call_site=security_cred_free+0x42/0x50 ptr=0000000062400820

`%p` of the kernel prints 32 bits of a hash instead of an address, as 16 digits on a 64-bit machine, of which 8 are
zero. On a 32-bit machine nothing tells one from the other. Programs that read binary records print addresses with `0x`.
"""

from __future__ import annotations

import re
from enum import Enum

from msgspec import Struct

from memoracle.trace.inputs import InputError
from memoracle.trace.kmem_lines import ALLOC, SLAB_KINDS

POINTER = re.compile(rb"\sptr=\s*(\([^()\s]*\)|[^\s*/(]+)")
# Some kernels leave out the blank between the two.
SIZES = {
    "bytes_req": re.compile(rb"\sbytes_req=(\S*?)(?=\s|bytes_alloc=|$)"),
    "bytes_alloc": re.compile(rb"[\s\da-f]bytes_alloc=(\S*)"),
}
NUMBER = re.compile(rb"0x[0-9a-fA-F]{1,16}|\d{1,20}")
HEXADECIMAL = re.compile(rb"(?:0x)?[0-9a-fA-F]{1,16}")
WITHHELD = re.compile(rb"\(_*ptrval_*\)")  # as long as the kernel has no random numbers
NO_POINTER = (b"(null)", b"(nil)")
NO_BLOCK = 16  # where `kmalloc(0)` points; nothing lies at or below it
DIGITS_64, DIGITS_32 = 16, 8  # of a pointer as the kernel prints it


class Meaning(Enum):
    """What a pointer that is printed tells."""

    ADDRESS = "an address"
    HASHED = "a hash of an address"
    UNSURE = "an address of 32 bits, or a hash of one"
    NO_BLOCK = "that there is no block"
    WITHHELD = "nothing"


class SlabEvent(Struct, frozen=True, gc=False):
    """One allocation or free of an object.

    name: the event's.  ptr: the pointer as it is printed; address: its number.  asked, given: the bytes that were asked
    for, and those of the object; 0 of a free.
    """

    name: str
    ptr: str
    address: int
    meaning: Meaning
    asked: int
    given: int
    line: int

    @property
    def told(self) -> dict[str, object]:
        """The event as messages show it."""
        sizes = {"bytes_req": self.asked, "bytes_alloc": self.given} if self.allocates else {}
        return {"op": self.name, "ptr": self.ptr, **sizes}

    @property
    def allocates(self) -> bool:
        return SLAB_KINDS[self.name.encode()] == ALLOC


def read_slab_event(path: str, name: bytes, fields: bytes, line: int) -> SlabEvent:
    """The event of this name with these fields; path is for messages. Raises InputError."""
    pointers = POINTER.findall(fields)
    if len(pointers) != 1 or (meaning := meaning_of(pointers[0])) is None:
        raise unreadable(path, "ptr", len(pointers), fields, line)
    asked = given = 0
    if SLAB_KINDS[name] == ALLOC:
        asked, given = (read_size(path, each, fields, line) for each in SIZES)
    address = int(pointers[0], 16) if HEXADECIMAL.fullmatch(pointers[0]) else 0
    return SlabEvent(name.decode(), pointers[0].decode(), address, meaning, asked, given, line)


def plain_slab_event(found: re.Match[bytes], line: int) -> SlabEvent:
    """The event of a line that is plain (`plain_kmem_lines.py`)."""
    kind, node, allocated, asked, given, frees, freed = found.groups()
    pointer: bytes = freed or allocated
    number = int(pointer, 16)
    name: bytes = frees or kind + (node or b"")
    sizes = (0, 0) if asked is None else (int(asked), int(given))
    return SlabEvent(name.decode(), pointer.decode(), number, meaning_of_number(pointer, number), *sizes, line)


def meaning_of(pointer: bytes) -> Meaning | None:
    """What a pointer tells; None if it is none."""
    if pointer in NO_POINTER:
        return Meaning.NO_BLOCK
    if WITHHELD.fullmatch(pointer):
        return Meaning.WITHHELD
    return meaning_of_number(pointer, int(pointer, 16)) if HEXADECIMAL.fullmatch(pointer) else None


def meaning_of_number(pointer: bytes, number: int) -> Meaning:
    """What a pointer tells that is this number."""
    if number <= NO_BLOCK:
        return Meaning.NO_BLOCK
    if pointer.startswith(b"0x"):
        return Meaning.ADDRESS
    if len(pointer) <= DIGITS_32:
        return Meaning.UNSURE
    return Meaning.HASHED if len(pointer) == DIGITS_64 and not number >> 32 else Meaning.ADDRESS


def read_size(path: str, field: str, fields: bytes, line: int) -> int:
    found = SIZES[field].findall(fields)
    if len(found) != 1 or not NUMBER.fullmatch(found[0]):
        raise unreadable(path, field, len(found), fields, line)
    return int(found[0], 16) if found[0].startswith(b"0x") else int(found[0])


def unreadable(path: str, field: str, times: int, fields: bytes, line: int) -> InputError:
    words = f"slab event that has {field}= twice" if times > 1 else f"slab event without a readable {field}="
    return InputError(path, line, f"{words}: {fields.decode('utf-8', 'replace').strip()!r}")
