"""Good inputs, which are spoilt: those of tests/data and of the examples, and some that are made."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from core_file import core, note
from kdump_file import flattened, kdump
from page_tables import HIGH, PageTables
from qemu_machine import GREETING, Machine

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    import backports.zstd as zstd

ROOT = Path(__file__).parents[3]
MOST = 4000  # bytes of a text


def texts_in(*patterns: str) -> list[bytes]:
    """The beginnings of files; of compressed ones what they hold."""
    found = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    whole = [gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in found]
    assert whole, patterns
    return [text[:MOST] for text in whole]


def dumped() -> tuple[int, bytes, Machine]:
    """The root of page tables, a small memory that holds them, and a machine that has them."""
    tables = PageTables()
    root = tables.space()
    for virtual, level in ((0, 1), (0x200000, 2), (HIGH, 1), (HIGH + (1 << 30), 3)):
        tables.map(root, virtual, 0, level=level)
    return root, tables.memory(size=tables.next), Machine(tables.words, root)


def conversation() -> bytes:
    """What a machine says on its QMP socket while it is read, and then some tables more."""
    said = [GREETING.strip()]
    asked = ["info registers -a", *(f"xp /512gx {address:#x}" for address in range(TOP, len(MEMORY), 4096))]
    for command in ("qmp_capabilities", "query-status", "stop", *asked, "cont"):
        is_for_people = " " in command
        request = {"execute": "human-monitor-command" if is_for_people else command}
        line = json.dumps(request | {"arguments": {"command-line": command}}).encode()
        said += [json.dumps(each).encode() for each in MACHINE.answer(line)]
    return b"\r\n".join(said) + b"\r\n"


@cache
def library() -> bytes:
    """A shared library with debug information; where there is no compiler, a program that is there in any case."""
    compiler = shutil.which("cc")
    if compiler is None:
        return Path(sys.executable).read_bytes()[: 1 << 16]
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "library.so"
        source = ROOT / "examples" / "targets" / "buddy.c"
        subprocess.run([compiler, "-g", "-shared", "-fPIC", "-nostdlib", source, "-o", made], check=True)
        return made.read_bytes()


TRACES = texts_in("tests/data/traces/*.gz", "tests/data/defects/*.jsonl", "examples/*.jsonl")
OF_RANGES = [text[: text.rindex(b"\n") + 1] for text in texts_in("tests/data/traces/*.gz") if b"range." in text]
LOGS = texts_in("tests/data/e820/*.txt")
KMEM = texts_in("tests/data/kmem/*.txt", "examples/boot-kmem.txt")
GEOMETRIES = [*texts_in("examples/*pool.toml"), b"frames = 16\n", b'preset = "x64-4k"\n']
BINDINGS = texts_in("examples/targets/*.toml")
MONITOR = texts_in("tests/data/qemu/*.txt", "examples/spaces.txt")
REGISTERS = texts_in("tests/data/qemu/info-registers*.txt")
SOURCES = texts_in("examples/targets/*.c", "tests/oracle/proposals/*.c", "tests/oracle/drive/*.c")
HEADERS = [text[:1500] for text in SOURCES]
PACKED = [
    pack(text)
    for text in (TRACES[0][:600], KMEM[0][:600], b"\n" * 100_000)
    for pack in (gzip.compress, lzma.compress, bz2.compress, zstd.compress)
]
ONE = b'{"memoracle": 1}\n{"op": "pat.register", "error": "x"}\n'
TOP, MEMORY, MACHINE = dumped()
CORE = core([(0x10000, MEMORY[0x10000:])], note(TOP))
KDUMP = kdump(MEMORY, note(TOP))
FLATTENED = flattened(KDUMP)
CONVERSATION = conversation()
PYPROJECT = b"""[project]
name = "kernel"

[tool.memoracle]
binding = "allocator.toml"
geometries = ["x64-4k", "small.toml"]
level = "exact"
ops = 500
seed = 7
misuse = false
"""
BUDGETS = b"""solver = "z3 4.13.0"

[rlimit]
"bitmap.initially" = 10000
"buddy.split" = 230000
"""
SCORES = b"""# Faults that proofs find.

[pat]
commit = "2c5a366"
faults = 84
by_proof = 82
by_run = 0
fails_to_run = 0
equivalent = 2
unknown = 0
survived = 0
not_tried = 0
"""
VERDICT = b"""{"name": "pat.one", "component": "pat", "kind": "theorem", "claim": "one is one", "scope": "unbounded",
"verdict": "proved", "solver": "z3 4.13.0", "seconds": 0.25, "rlimit": 1200, "cached": false,
"source": "proofs/components/pat.py:9", "counterexample": null}"""

# What a program that is driven says: its first line, and then what it answers each call.
HELLO = b'{"operations": {"frame.allocate": ["order"], "frame.free": [], "range.allocate": [], "range.list": []}}\n'
ANSWERS = [
    *(b'{"result": "0x200000"}\n', b'{"result": null}\n', b'{"result": [["0x0", 1, true]]}\n'),
    *(b'{"error": "no"}\n', b"booting\n"),
]
