"""The text of a proposed binding: each line that was guessed has a comment that says why."""

from __future__ import annotations

import json
import re
import textwrap
from typing import Any

from memoracle.proposals.guesses import CHOOSE, Guess
from memoracle.proposals.proposed import Proposal
from memoracle.proposals.starts import ARENA, ARENA_BYTES, FRAMES_OF_MEMORY
from memoracle.proposals.words import may_be
from memoracle.trace.quoting import escaped

WIDTH = 100
HEAD = """\
A binding: how `memoracle drive` calls this library. What it may say: docs/drive.md.
Lines were guessed where a comment says so. "choose:" marks what you should look at."""
SKELETON = '''\
# A binding: how `memoracle drive` calls your library. What it may say: docs/drive.md.
# "choose:" marks what you should look at.

library = "allocator.so"             # choose: beside this file: cc -shared -fPIC -o allocator.so allocator.c

# choose: the functions in C, as in a header without directives.
declarations = """
void pmm_init(void);
uint64_t pmm_alloc(void);
int pmm_free(uint64_t address);
"""

start = ["pmm_init()"]               # choose: the calls that come before all others
# memory = {bytes = 0x100000, at = 0x10000000}  # memory to give to it: start = ["pmm_init(memory, memory_bytes)"]
# panics = ["panic", "__assert_fail"]           # functions that end a call without returning

# Functions that it needs from its kernel.
# [callbacks]
# spin_lock = "0"                               # does nothing

[geometry]                           # docs/geometry.md
preset = "x64-4k"                    # choose: pages of 4 KiB, or "x64-2m"
frames = 1024                        # choose: how many frames it has
never_free = [{start = 0, bytes = 0x1000}]  # choose: those that it never hands out
# frame_allocator = "runs"           # it is asked for how many (count); "buddy": for an order

[operations."frame.allocate"]        # also: range.allocate, range.free, heap.new, heap.delete, heap.resize, ...
call = "pmm_alloc()"                 # choose: of order, count, bytes, pages, alignment, ...: what it asks for
fails = "value == 0"                 # choose: how a failure shows
result = "value"                     # choose: an address; of a frame's number it is "value * page_size"

[operations."frame.free"]
call = "pmm_free(address)"           # choose: of a frame's number it is "pmm_free(address / page_size)"
fails = "value != 0"                 # choose: how a refusal shows; without this line it is never misused
'''


def text_of(proposal: Proposal, library: str) -> str:
    """library: as the binding names it."""
    made = Lines()
    made.comment(HEAD)
    for each in proposal.notes:
        made.comment(each)
    made.line("")
    made.line(f"library = {quoted(library)}")
    made.declarations(proposal.declarations)
    if proposal.private_frames:
        made.comment("It may fail although the trace does not say why: it takes memory for itself.")
        made.line("private_frames = true")
    if proposal.has_memory:
        made.comment("The memory that it manages; it is full of 0xA5 at first. An allocator that divides memory into")
        made.comment("larger pieces (regions, sections, zones) shows what is wrong between these with several of them.")
        made.line(f"memory = {{bytes = {ARENA_BYTES:#x}, at = {ARENA:#x}}}")
    if proposal.memory_map:
        made.comment("What is there at start: the other frames are missing until memory.add adds them.")
        made.line(f"memory_map = {_value(proposal.memory_map)}")
    if proposal.needs.panics:
        made.comment("Functions that it calls when it gives up.")
        made.line(f"panics = {json.dumps(proposal.needs.panics)}")
    _constants(made, proposal)
    _start(made, proposal)
    for title, values, why in (
        ("symbols", proposal.needs.symbols, "Addresses that it needs from a linker script."),
        ("callbacks", proposal.needs.callbacks, "Functions that it needs from its kernel."),
    ):
        if values:
            made.line("")
            made.comment(why)
            made.line(f"[{title}]")
            for name, (text, said) in values.items():
                made.line(f"{name if name.isidentifier() else quoted(name)} = {quoted(text)}", said)
    _geometry(made, proposal)
    for guess in proposal.mapping.guesses.values():
        _operation(made, guess)
    others = sorted(f"{each.name}{f' ({of}?)' if (of := may_be(each)) else ''}" for each in proposal.mapping.others)
    if others:
        made.line("")
        made.comment(f"Not used: {', '.join(others)}")
    return made.text


def _constants(made: Lines, proposal: Proposal) -> None:
    found = {
        key: value for each in proposal.mapping.guesses.values() for key, value in each.extra.items() if key == "upper"
    }
    if found:
        made.line(f"constants = {{{', '.join(f'{key} = {quoted(value)}' for key, value in found.items())}}}")


def _start(made: Lines, proposal: Proposal) -> None:
    statements = [(_sized(call, proposal), why) for call, why in proposal.start.statements] + _base(proposal)
    made.line("")
    if not statements:
        made.line("start = []", f"{CHOOSE}the calls that come first, if there are any")
        return
    made.comment("The calls that come first.")
    made.line("start = [")
    for statement, why in statements:
        for each in why:
            made.comment(each, "    ")
        made.line(f"    {quoted(statement)},")
    made.line("]")


def _sized(call: str, proposal: Proposal) -> str:
    """A call that says how many frames there are takes that of the geometry, which `--geometry` can make smaller."""
    frames = proposal.geometry["frames"][0] if "frames" in proposal.geometry else None
    sized = call.replace(FRAMES_OF_MEMORY, "frames")
    return sized if frames == ARENA_BYTES // proposal.page_size and not re.search(r"\bmemory\b", sized) else call


def _base(proposal: Proposal) -> list[tuple[str, list[str]]]:
    """The first block that is handed out, and given back, says where all of them lie."""
    take = next((each for each in proposal.mapping.guesses.values() if "base" in each.extra), None)
    if take is None:
        return []
    plain = {"order": "0", "count": "1", "pages": "1", "count * page_size": "page_size", "alignment": "page_size"}
    arguments = ", ".join(plain.get(each, each) for each in take.arguments)
    kind = take.operation.partition(".")[0]
    give = proposal.mapping.guesses.get(f"{kind}.free")
    found = [
        (f"first = {take.function.name}({arguments})", ["where its memory lies is seen from what it hands out first"]),
        (f"base = first - {take.extra['base']}", []),
    ]
    if give is not None:
        again = ", ".join("first" if "address" in each else plain.get(each, each) for each in give.arguments)
        found.append((f"{give.function.name}({again})", []))
    return found


def _geometry(made: Lines, proposal: Proposal) -> None:
    made.line("")
    made.line("[geometry]", "docs/geometry.md")
    made.line(f"preset = {quoted(proposal.stated_geometry['preset'])}", f"pages of {proposal.page_size:,} bytes")
    if "heap.new" in proposal.mapping.guesses and proposal.has_memory:
        made.comment(
            f"{CHOOSE}where all blocks lie in this memory, a leak is seen if it is said, and `private_frames` is not:"
        )
        made.line(f"# heap_arena = {{start = {ARENA:#x}, bytes = {ARENA_BYTES:#x}, overhead = 32, minimum = 32}}")
    for key, (value, why) in proposal.geometry.items():
        for each in why:
            made.comment(each)
        made.line(f"{key} = {_value(value)}")


def _operation(made: Lines, guess: Guess) -> None:
    made.line("")
    made.line(f"[operations.{quoted(guess.operation)}]")
    made.comment(guess.function.text.replace("\n", " "))
    for each in guess.why:
        made.comment(each)
    made.line(f"call = {quoted(guess.call)}")
    if guess.fails is not None:
        made.line(f"fails = {quoted(guess.fails)}")
    if guess.result is not None:
        made.line(f"result = {quoted(guess.result)}")
    for key in ("misuse", "panic"):
        if key in guess.extra:
            made.line(f"{key} = {guess.extra[key]}")


class Lines:
    """Lines of TOML."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    def line(self, text: str, why: str = "") -> None:
        self.lines.append(f"{text:<36} # {escaped(why)}" if why else text)

    def comment(self, text: str, indent: str = "") -> None:
        for line in text.splitlines():
            for each in textwrap.wrap(escaped(line), WIDTH - len(indent)) or [""]:
                self.lines.append(f"{indent}# {each}")

    def declarations(self, text: str) -> None:
        """As a string of several lines."""
        inner = text.replace("\\", "\\\\").replace('"', '\\"')
        self.lines.append(f'declarations = """\n{inner}\n"""')


def quoted(text: str) -> str:
    return json.dumps(text)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, int) and not isinstance(value, bool):
        return hex(value) if value > 0xFFFF else str(value)
    return quoted(str(value))
