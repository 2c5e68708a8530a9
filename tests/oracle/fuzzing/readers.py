"""Every reader of the oracle, with inputs for it: tests/data and the examples, spoilt."""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
from pathlib import Path
from typing import NamedTuple

from core_file import core, note
from hypothesis import strategies as st
from page_tables import HIGH, PageTables

from fuzzing.texts import MADE_UP, MOST, mutated

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    import backports.zstd as zstd

ROOT = Path(__file__).parents[3]
DATA = ROOT / "tests" / "data"


class Case(NamedTuple):
    """A command and its inputs. arguments: `@name` stands for the path of the file of that name."""

    arguments: tuple[str, ...]
    files: dict[str, bytes]


def texts_in(*patterns: str) -> list[bytes]:
    """The beginnings of files; of compressed ones what they hold."""
    found = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    whole = [gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in found]
    assert whole, patterns
    return [text[:MOST] for text in whole]


def options(*names: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(names), unique=True, max_size=3).map(tuple)


JSON = "--format=json"
CHECKED = options("--keep-going", "--ignore-unknown", "--split", "--level=safe", "--level=exact", JSON, "--quiet")
WHOLE = options("--keep-going", "--ignore-unknown", JSON, "--quiet")  # of logs
FORMS = st.sampled_from([(), ("--input=jsonl",), ("--input=kmem",), ("--input=e820",)])
BOOT = options(JSON, "--quiet").map(lambda given: ("boot", *given))


def of(text: st.SearchStrategy[bytes], *commands: st.SearchStrategy[tuple[str, ...]]) -> st.SearchStrategy[Case]:
    """One of the commands, with a file to read."""
    return st.builds(lambda given, read: Case((*given, "@input"), {"input": read}), st.one_of(*commands), text)


def check(given: st.SearchStrategy[tuple[str, ...]]) -> st.SearchStrategy[tuple[str, ...]]:
    return given.map(lambda each: ("check", *each))


TRACES = texts_in("tests/data/traces/*.gz", "tests/data/defects/*.jsonl", "examples/*.jsonl")
LOGS = texts_in("tests/data/e820/*.txt")
KMEM = texts_in("tests/data/kmem/*.txt", "examples/boot-kmem.txt")
GEOMETRIES = [*texts_in("examples/*pool.toml"), b"frames = 16\n", b'preset = "x64-4k"\n']
BINDINGS = texts_in("examples/targets/*.toml")
MONITOR = texts_in("tests/data/qemu/*.txt", "examples/spaces.txt")
REGISTERS = texts_in("tests/data/qemu/info-registers*.txt")
PACKED = [
    pack(text)
    for text in (TRACES[0][:600], KMEM[0][:600], b"\n" * 100_000)
    for pack in (gzip.compress, lzma.compress, bz2.compress, zstd.compress)
]
ONE = b'{"memoracle": 1}\n{"op": "pat.register", "error": "x"}\n'


def dumped() -> tuple[int, bytes]:
    """The root of page tables, and a small memory that holds them."""
    tables = PageTables()
    root = tables.space()
    for virtual, level in ((0, 1), (0x200000, 2), (HIGH, 1), (HIGH + (1 << 30), 3)):
        tables.map(root, virtual, 0, level=level)
    return root, tables.memory(size=tables.next)


TOP, MEMORY = dumped()
CORE = core([(0x10000, MEMORY[0x10000:])], note(TOP))
DUMPED = st.one_of(
    mutated([MEMORY[0x10000:]]).map(lambda raw: (raw, (f"--cr3={TOP:#x}", "--base=0x10000"))),
    mutated([CORE[:800]]).map(lambda head: (head + CORE[800:], ())),
    mutated([CORE]).map(lambda whole: (whole, (f"--cr3={TOP:#x}",))),
)
SHOWN = options(JSON, "--quiet")

READERS: dict[str, st.SearchStrategy[Case]] = {
    "events": of(MADE_UP, check(CHECKED), BOOT),
    "traces": of(mutated(TRACES), check(CHECKED), BOOT),
    "compressed": of(mutated(PACKED), check(CHECKED), BOOT),
    "memory maps": of(mutated(LOGS), check(WHOLE), BOOT),
    "kmem and slab logs": of(mutated(KMEM), check(WHOLE), BOOT),
    "memory maps of kmem logs": st.builds(
        lambda log, memory_map: Case(("check", "--memory-map=@map", "@input"), {"map": memory_map, "input": log}),
        st.sampled_from(KMEM),
        st.one_of(mutated(LOGS), mutated(TRACES)),
    ),
    "any bytes": of(st.binary(max_size=300), check(FORMS), BOOT),
    "geometries": st.builds(
        lambda text, sound: Case(
            ("check", "--geometry=@geometry", "@input"),
            {"geometry": b"frames = 16\n" + text if sound else text, "input": ONE},
        ),
        st.one_of(mutated(GEOMETRIES), st.binary(max_size=200), st.text(max_size=200).map(str.encode)),
        st.booleans(),
    ),
    "texts of QEMU": st.builds(
        lambda given, text: Case(("snapshot", *given, "@input"), {"input": text}), SHOWN, mutated(MONITOR)
    ),
    "registers": st.builds(
        lambda given, text: Case(
            ("snapshot", *given, "--registers=@registers", "--base=0", "@memory"), {"registers": text, "memory": MEMORY}
        ),
        SHOWN,
        mutated(REGISTERS),
    ),
    "dumps and cores": st.builds(
        lambda given, dump: Case(("snapshot", *given, *dump[1], "@memory"), {"memory": dump[0]}), SHOWN, DUMPED
    ),
}

# What a program that is driven says: its first line, and then what it answers each call.
HELLO = b'{"operations": {"frame.allocate": ["order"], "frame.free": [], "range.allocate": [], "range.list": []}}\n'
ANSWERS = [
    *(b'{"result": "0x200000"}\n', b'{"result": null}\n', b'{"result": [["0x0", 1, true]]}\n'),
    *(b'{"error": "no"}\n', b"booting\n"),
]
SAID: st.SearchStrategy[tuple[bytes, ...]] = st.builds(
    lambda first, answers: (first, *answers),
    st.one_of(st.just(HELLO), mutated([HELLO])),
    st.lists(mutated(ANSWERS), min_size=1, max_size=6),
)
DECLARED = mutated(BINDINGS)
