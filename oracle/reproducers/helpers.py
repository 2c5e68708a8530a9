"""The functions of ours that expressions of a binding may call, in each language; and how a library is given memory."""

from __future__ import annotations

from collections.abc import Collection

BITS = (8, 16, 32, 64)
RENAMED = {"log2": "whole_log2", "sbrk": "memory_break"}  # which C has of its own

C = {
    "log2": """\
static inline number whole_log2(number n)
{
    number found = 0;
    for (; n > 1; n >>= 1)
        found++;
    return found;
}
""",
    "order_of": """\
static inline number order_of(number n)
{
    number found = 0;
    for (n -= 1; n > 0; n >>= 1)
        found++;
    return found;
}
""",
    "storage": """\
static inline number storage(number bytes)
{
    size_t size = ((size_t)bytes + 63) / 64 * 64;
    return (number)(uintptr_t)memset(aligned_alloc(64, size), 0, size);
}
""",
    **{
        f"load{bits}": f"""\
static inline number load{bits}(number address)
{{
    return *(volatile uint{bits}_t *)(uintptr_t)address;
}}
"""
        for bits in BITS
    },
    **{
        f"store{bits}": f"""\
static inline number store{bits}(number address, number value)
{{
    *(volatile uint{bits}_t *)(uintptr_t)address = (uint{bits}_t)value;
    return value;
}}
"""
        for bits in BITS
    },
}
# Of the memory that was given, for callbacks.
C |= {
    "sbrk": """\
static number memory_break(number increment)
{
    number before = memory_used, after = before + (int64_t)increment;
    if (after < 0 || after > memory_size)
        return (number)UINT64_MAX;
    memory_used = after;
    return memory_start + before;
}
""",
    "take_pages": """\
static struct { number start, count; } returned[4096];
static int returned_blocks;

static number take_pages(number count)
{
    for (int block = returned_blocks - 1; block >= 0; block--)
        if (returned[block].count == count) {
            number start = returned[block].start;
            memmove(returned + block, returned + block + 1, (--returned_blocks - block) * sizeof *returned);
            return start;
        }
    number found = memory_break(count * memory_page);
    return found == (number)UINT64_MAX ? 0 : found;
}
""",
    "return_pages": """\
static number return_pages(number address, number count)
{
    if (returned_blocks == 4096)
        exit(77);
    returned[returned_blocks].start = address;
    returned[returned_blocks++].count = count;
    return 0;
}
""",
}
KERNEL = {
    **C,
    "storage": """\
static inline number storage(number bytes)
{
    return (number)(uintptr_t)kzalloc(bytes, GFP_KERNEL);
}
""",
}
C_STATE = """\
static number memory_start, memory_size, memory_used;
"""
NEEDS = {"take_pages": {"sbrk"}, "return_pages": {"sbrk", "take_pages"}}
C_PANICS = """\
#include <setjmp.h>
static jmp_buf entry; /* where a call began that a panic may refuse */
static int may_refuse;
"""
C_MEMORY = """\
/* Between two pages that nothing may touch. */
static number memory_given(size_t bytes, uintptr_t at, size_t alignment, int fill)
{
    size_t page = 4096, whole = (bytes + page - 1) / page * page;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED_NOREPLACE : 0);
    void *found = mmap(at ? (void *)(at - page) : NULL, whole + alignment + 2 * page, PROT_NONE, flags, -1, 0);
    uintptr_t start = ((uintptr_t)found + page + alignment - 1) / alignment * alignment;
    if (at)
        start = at;
    if (found == MAP_FAILED || mprotect((void *)start, whole, PROT_READ | PROT_WRITE)) {
        perror("memory");
        exit(77);
    }
    memset((void *)start, fill, whole);
    if (!memory_size) { /* callbacks have the first one's */
        memory_start = (number)start;
        memory_size = (number)bytes;
    }
    return (number)start;
}
"""
KERNEL_MEMORY = """\
static number memory_given(size_t bytes, uintptr_t at, size_t alignment, int fill)
{
    uintptr_t start = (uintptr_t)vzalloc(bytes + alignment);

    start = (start + alignment - 1) / alignment * alignment;
    return (number)(uintptr_t)memset((void *)start, fill, bytes);
}
"""
RUST = {
    "log2": """\
fn whole_log2(n: Number) -> Number {
    if n > 1 { 127 - n.leading_zeros() as Number } else { 0 }
}
""",
    "order_of": """\
fn order_of(n: Number) -> Number {
    if n > 1 { 128 - (n - 1).leading_zeros() as Number } else { 0 }
}
""",
    "storage": """\
unsafe fn storage(bytes: Number) -> Number {
    std::alloc::alloc_zeroed(std::alloc::Layout::from_size_align(bytes as usize + 1, 64).unwrap()) as usize as Number
}
""",
    **{
        f"load{bits}": f"""\
unsafe fn load{bits}(address: Number) -> Number {{
    (address as usize as *const u{bits}).read_unaligned() as Number
}}
"""
        for bits in BITS
    },
    **{
        f"store{bits}": f"""\
unsafe fn store{bits}(address: Number, value: Number) -> Number {{
    (address as usize as *mut u{bits}).write_unaligned(value as u{bits});
    value
}}
"""
        for bits in BITS
    },
}
RUST |= {
    "sbrk": """\
unsafe fn memory_break(increment: Number) -> Number {
    let (before, after) = (memory_used, memory_used + (increment as i64) as Number);
    if after < 0 || after > memory_size {
        return u64::MAX as Number;
    }
    memory_used = after;
    memory_start + before
}
""",
    "take_pages": """\
static mut returned: Vec<(Number, Number)> = Vec::new();

unsafe fn take_pages(count: Number) -> Number {
    let blocks = &mut *(&raw mut returned);
    if let Some(place) = blocks.iter().rposition(|block| block.1 == count) {
        return blocks.remove(place).0;
    }
    let found = memory_break(count * MEMORY_PAGE);
    if found == u64::MAX as Number { 0 } else { found }
}
""",
    "return_pages": """\
unsafe fn return_pages(address: Number, count: Number) -> Number {
    (*(&raw mut returned)).push((address, count));
    0
}
""",
}
RUST_MEMORY = """\
static mut memory_start: Number = 0;
static mut memory_size: Number = 0;
static mut memory_used: Number = 0;

/// Between two pages that nothing may touch.
unsafe fn memory_given(bytes: usize, at: usize, alignment: usize, fill: i32) -> Number {
    let (page, whole) = (4096, (bytes + 4095) / 4096 * 4096);
    let near = if at == 0 { 0 } else { at - page };
    let flags = if at == 0 { 0x4022 } else { 0x104022 };
    let found = mmap(near as *mut c_void, whole + alignment + 2 * page, 0, flags, -1, 0) as usize;
    let start = if at == 0 { (found + page + alignment - 1) / alignment * alignment } else { at };
    if found == usize::MAX || mprotect(start as *mut c_void, whole, 3) != 0 {
        eprintln!("not tested: there is no such memory");
        std::process::exit(0);
    }
    memset(start as *mut c_void, fill, whole);
    if memory_size == 0 { // callbacks have the first one's
        memory_start = start as Number;
        memory_size = bytes as Number;
    }
    start as Number
}
"""
PYTHON = {
    "log2": """\
def whole_log2(n):
    return max(0, n.bit_length() - 1)
""",
    "order_of": """\
def order_of(n):
    return max(0, (n - 1).bit_length())
""",
    "storage": """\
ROOMS = []


def storage(size):
    ROOMS.append(ctypes.create_string_buffer(size + 64))
    return -(-ctypes.addressof(ROOMS[-1]) // 64) * 64
""",
    **{
        f"load{bits}": f"""\
def load{bits}(address):
    return ctypes.c_uint{bits}.from_address(address).value
"""
        for bits in BITS
    },
    **{
        f"store{bits}": f"""\
def store{bits}(address, value):
    ctypes.c_uint{bits}.from_address(address).value = value
    return value
"""
        for bits in BITS
    },
}
PYTHON_MEMORY = """\
def memory_given(size, at, alignment, fill):
    \"\"\"Between two pages that nothing may touch.\"\"\"
    program, page = ctypes.CDLL(None), 4096
    whole = -(-size // page) * page
    program.mmap.restype = ctypes.c_void_p
    numbers = ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long
    program.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *numbers]
    program.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    near, flags = (at - page, 0x104022) if at else (None, 0x4022)
    found = program.mmap(near, whole + alignment + 2 * page, 0, flags, -1, 0)
    start = at or -(-(found + page) // alignment) * alignment
    if program.mprotect(start, whole, 3):
        pytest.skip("there is no such memory")
    ctypes.memset(start, fill, whole)
    return start
"""
PYTHON_SYMBOLS = """\
def give_symbols():
    \"\"\"Loads a library that has nothing but what a linker script gives: symbols with absolute addresses.\"\"\"
    file = os.memfd_create("symbols")
    os.write(file, bytes.fromhex(SYMBOLS))
    return ctypes.CDLL(f"/proc/self/fd/{file}", mode=ctypes.RTLD_GLOBAL | os.RTLD_NOW)
"""


def used_of(texts: dict[str, str], used: Collection[str], memory: str | None) -> str:
    """The texts of the helpers that are used. memory: the one that gives memory, if it is."""
    needed = set(used).union(*(NEEDS.get(name, ()) for name in used))
    found = [texts[name] for name in texts if name in needed]
    return "\n".join([*found, *([] if memory is None else [memory])])
