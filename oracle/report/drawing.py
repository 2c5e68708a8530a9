"""The state around a divergence, drawn for a terminal: a bitmap's word, a piece of a buddy tree, or plain facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from memoracle.console.counted import counted
from memoracle.trace.quoting import escaped

BYTE = 8  # bits drawn together
ROW = 32  # bits on a line
# What says of a state how many there are of something.
COUNTS = {"free_frames", "longest_free_run", "pages", "processes", "uses", "live_blocks", "bytes", "needed_bytes"}


def drawn(state: Mapping[str, Any]) -> RenderableType:
    """A state as a finding has it, drawn."""
    if "bits" in state:
        return Group(facts(state, without=("bits", "first")), word(state))
    if "blocks" in state:
        return Group(facts(state, without=("blocks",)), tree(state["blocks"]))
    if "stretches" in state:
        return Group(facts(state, without=("stretches",)), *map(leaf, state["stretches"]))
    if "largest_gap" in state:
        return Group(facts(state, without=("largest_gap", "block", "next")), gap(state))
    if "rows" in state:
        return Text("\n".join(map(row, state["rows"])) or "nothing is known of these pages yet")
    return facts(state)


def row(pages: Mapping[str, Any]) -> str:
    """Pages in a row of a machine's memory."""
    told = f"{counted(pages['pages'], 'page')} from {pages['pfn']:#x}"
    if "line" not in pages:
        return f"{told}: not usable memory"
    return f"{told}: {'allocated' if pages['allocated'] else 'free'} by line {pages['line']}"


def facts(state: Mapping[str, Any], without: Sequence[str] = ()) -> Text:
    return Text(escaped(listed({key: value for key, value in state.items() if key not in without})))


def in_words(value: object, is_count: bool = False) -> str:
    """A value of a state: what it holds in parentheses, without the marks of any notation.

    is_count: whether a number says how many; others are names, as a frame's or a line's.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return f"({listed(value)})"
    if isinstance(value, list | tuple):
        return ", ".join(map(in_words, value)) or "none"
    return f"{value:,}" if is_count else str(value)


def listed(state: Mapping[str, Any]) -> str:
    """Names and values; what is not known is left out."""
    known = ((key, value) for key, value in state.items() if value is not None)
    return ", ".join(f"{key.replace('_', ' ')}: {in_words(value, key in COUNTS)}" for key, value in known)


def gap(state: Mapping[str, Any]) -> Text:
    """The largest gap of a heap's arena, and the live blocks next to it, in the order of their addresses."""
    largest = state["largest_gap"]
    lines = [f"{largest['address']}: the largest gap, {counted(largest['bytes'], 'byte')}"]
    for name, place in (("block", 0), ("next", 2)):
        if name in state:
            block = state[name]
            live = f"{block['address']}: live, {counted(block['bytes'], 'byte')} by line {block['line']}"
            lines.insert(place, live)
    return Text("\n".join(lines))


def word(state: Mapping[str, Any]) -> Text:
    """A word of the bitmap, first frame first, 1 = free, and marks below the frames that it is about, where counted."""
    bits, first, frame = state["bits"], state["first"], state["frame"]
    run = state.get("run", {"first": frame, "frames": 1})
    marked = range(max(run["first"], first), min(run["first"] + run.get("frames", 0), first + len(bits)))
    lines, width = [], len(str(first + len(bits) - 1))
    for start in range(0, len(bits), ROW):
        row_bits, label = bits[start : start + ROW], f"frame {first + start:>{width}}: "
        lines.append(label + " ".join(row_bits[at : at + BYTE] for at in range(0, len(row_bits), BYTE)))
        places = [place for place in range(len(row_bits)) if first + start + place in marked]
        if places:
            marks = [" "] * (len(label) + len(row_bits) + len(row_bits) // BYTE)
            for place in places:
                marks[len(label) + place + place // BYTE] = "^"
            lines.append("".join(marks).rstrip())
    return Text("\n".join(lines))


def tree(blocks: Sequence[Mapping[str, Any]]) -> Tree:
    """The smallest subtree of the buddy tree that has all these blocks; what else is in it is left out."""
    by_page = {block["page"]: block for block in blocks}
    last = blocks[-1]["page"] + blocks[-1]["pages"] - 1
    order = (blocks[0]["page"] ^ last).bit_length()
    return branch(by_page, blocks[0]["page"] >> order << order, order)


def branch(by_page: Mapping[int, Mapping[str, Any]], page: int, order: int) -> Tree:
    pages = 1 << order
    block = by_page.get(page)
    if block is not None and block["pages"] == pages:
        return Tree(leaf(block))
    node = Tree(f"{counted(pages, 'page')} from page {page}")
    half = pages >> 1
    for start in (page, page + half):
        if any(start < other + block["pages"] and other < start + half for other, block in by_page.items()):
            node.add(branch(by_page, start, order - 1))
        else:
            node.add("...")
    return node


def leaf(block: Mapping[str, Any]) -> Text:
    state = "allocated" if block["allocated"] else "free, freed" if "line" in block else "free"
    origin = f" by line {block['line']}" if "line" in block else ""
    told = f"{counted(block['pages'], 'page')} at {block['address']}: {state}{origin}"
    return Text(told, "red" if block["allocated"] else "green")
