"""Memory that a library is given, and what the expressions of a binding may do with it."""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections import defaultdict
from collections.abc import Callable
from functools import partial

from memoracle.drive.native.not_asked import NotAskedError
from memoracle.impl.bitmap import is_power_of_two

PAGE = 4096
NOTHING, READ_WRITE = 0, 3
PRIVATE_ANONYMOUS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS  # a target may be forked, and each has memory of its own
FIXED, RESERVE_NOTHING = 0x100000, 0x4000
FAILED = ctypes.c_void_p(-1).value
STORED_AT = 64  # what storage is aligned to
ERROR = (1 << 64) - 1
WORDS = {1: ctypes.c_uint8, 2: ctypes.c_uint16, 4: ctypes.c_uint32, 8: ctypes.c_uint64}


class Arena:
    """A piece of memory between two pages that nothing may touch.

    start: its address.  size: in bytes.
    """

    def __init__(self, size: int, at: int | None, alignment: int, fill: int) -> None:
        """at: where, or None: anywhere at a multiple of alignment.  fill: the byte of which it is full.

        Raises OSError.
        """
        self.size, self.next = size, 0
        whole = -(-size // PAGE) * PAGE
        if at is not None:
            self.start = _mapped(whole + 2 * PAGE, at - PAGE) + PAGE
        else:
            found = _mapped(whole + alignment + 2 * PAGE, None) + PAGE
            self.start = -(-found // alignment) * alignment
        if _program().mprotect(self.start, whole, READ_WRITE):
            raise _fault()
        if fill:
            ctypes.memset(self.start, fill, whole)
        self.returned = defaultdict[int, list[int]](list)

    def break_(self, increment: int) -> int:
        """As sbrk: moves the end of what is in use, and says where it was; -1 if there is no such memory."""
        increment = ctypes.c_int64(increment).value
        before, after = self.next, self.next + increment
        if not 0 <= after <= self.size:
            return ERROR
        self.next = after
        return self.start + before

    def take(self, size: int) -> int:
        """As many bytes as were not taken yet, or were returned; 0 if none are left."""
        if self.returned[size]:
            return self.returned[size].pop()
        found = self.break_(size)
        return 0 if found == ERROR else found

    def return_(self, address: int, size: int) -> int:
        self.returned[size].append(address)
        return 0


def functions_of_memory(arena: Arena | None, page_size: int) -> dict[str, Callable[..., int]]:
    """The functions of ours that expressions may call."""
    kept: list[object] = []

    def storage(size: int) -> int:
        if size < 0:
            raise ValueError(f"there is no storage of {size} bytes")
        room = ctypes.create_string_buffer(size + STORED_AT)
        kept.append(room)
        return -(-ctypes.addressof(room) // STORED_AT) * STORED_AT

    found: dict[str, Callable[..., int]] = {"storage": storage, "log2": _log2, "order_of": _order_of}
    for bits in (8, 16, 32, 64):
        found |= {f"load{bits}": partial(_load, bits // 8), f"store{bits}": partial(_store, bits // 8)}
    if arena is not None:
        found |= {"sbrk": arena.break_, **_pages_of(arena, page_size)}
    return found


def _pages_of(arena: Arena, page_size: int) -> dict[str, Callable[..., int]]:
    def take_pages(count: int) -> int:
        return arena.take(count * page_size)

    def return_pages(address: int, count: int) -> int:
        return arena.return_(address, count * page_size)

    return {"take_pages": take_pages, "return_pages": return_pages}


def _log2(number: int) -> int:
    """Raises NotAskedError of what is no power of two."""
    if not is_power_of_two(number):
        raise NotAskedError(f"{number} is no power of two")
    return number.bit_length() - 1


def _order_of(count: int) -> int:
    """The order of the smallest block that has as many."""
    return max(0, (count - 1).bit_length())


def _load(size: int, address: int) -> int:
    return int(WORDS[size].from_address(address).value)


def _store(size: int, address: int, value: int) -> int:
    ctypes.memmove(address, (value & (1 << 8 * size) - 1).to_bytes(size, sys.byteorder), size)
    return value


def _program() -> ctypes.CDLL:
    program = ctypes.CDLL(None, use_errno=True)
    words = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    program.mmap.restype = ctypes.c_void_p
    program.mmap.argtypes = [*words, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    program.mprotect.argtypes = words
    return program


def _mapped(size: int, at: int | None) -> int:
    flags = PRIVATE_ANONYMOUS | RESERVE_NOTHING | (FIXED if at is not None else 0)
    found = _program().mmap(at, size, NOTHING, flags, -1, 0)
    if found in (None, FAILED) or at not in (None, found):
        raise _fault()
    return int(found)


def _fault() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, "something else lies there" if number == 17 else "there is no such memory")
