"""Functions of which nothing but the names is known: what they are likely to look like."""

from __future__ import annotations

from collections.abc import Iterable

from memoracle.proposals.c_functions import Header, read_header
from memoracle.proposals.words import FAMILIES, FRAME, GIVES, HEAP, RANGE, STARTS, TAKES, words_of

TAKEN = {
    FRAME: "uint64_t {}(void);",
    RANGE: "uint64_t {}(uint64_t pages);",
    HEAP: "void *{}(size_t bytes);",
}
GIVEN = {
    FRAME: "void {}(uint64_t address);",
    RANGE: "void {}(uint64_t address, uint64_t pages);",
    HEAP: "void {}(void *block);",
}


def guessed(names: Iterable[str]) -> Header:
    """Declarations of those whose names say what they may be."""
    return read_header("\n".join(text for name in sorted(names) if (text := _declaration(name))))


def _declaration(name: str) -> str:
    words = words_of(name)
    about = set(words)
    kind = next((each for each in (RANGE, FRAME, HEAP) if about & FAMILIES[each]), HEAP)
    if about & {"is", "test", "check"}:
        return f"int {name}(uint64_t address);"
    if words[:1] == ["get"] or "alloc" in about or (about & TAKES and not about & GIVES):
        plural = kind == FRAME and about & {"pages", "frames", "blocks"}
        taken = f"uint64_t {name}(uint64_t count);" if plural else TAKEN[kind].format(name)
        return taken if "realloc" not in about else f"void *{name}(void *block, size_t bytes);"
    if about & STARTS:
        return f"void {name}(void);"
    if about & {"count", "available", "avail"}:
        return f"uint64_t {name}(void);"
    return GIVEN[kind].format(name) if about & GIVES else ""
