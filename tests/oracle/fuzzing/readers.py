"""Every reader of the oracle, with inputs for it: a function for each that makes them of random numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from fuzzing.corpora import (
    CORE,
    FLATTENED,
    GEOMETRIES,
    KDUMP,
    KMEM,
    LOGS,
    MEMORY,
    MONITOR,
    ONE,
    PACKED,
    REGISTERS,
    TOP,
    TRACES,
)
from fuzzing.mutation import mutated
from fuzzing.texts import as_text, made_up, overlapping, text


class Case(NamedTuple):
    """A command and its inputs.

    arguments: `@name` stands for the path of the file of that name, `@html` for a folder to write into.
    from_stdin: what standard input has.
    """

    arguments: tuple[str, ...]
    files: dict[str, bytes]
    from_stdin: bytes = b""


Cases = Callable[[Random], Case]
Text = Callable[[Random], bytes]
QUIET, JSON = "--quiet", "--format=json"
FORMS = [JSON, "--format=junit", "--format=sarif", "--format=github", "--format=itf"]
CHECKED = ["--keep-going", "--ignore-unknown", "--split", "--level=safe", "--level=exact"]
WHOLE = ["--keep-going", "--ignore-unknown"]  # of logs
INPUTS = [(), (), ("--input=jsonl",), ("--input=kmem",), ("--input=e820",)]
SMALL_MAP = b"BIOS-e820: [mem 0x0000000000100000-0x0000000003ffffff] usable\n"
# What is typed after an option or a command; each is spoilt. None of them names a file.
TYPED = {
    "check": "--level=exact --boot=2 --map=bios-e820 --max-line=1000 --budget=10 --input=kmem --format=json "
    "--executor=dask:tcp://127.0.0.1:1 --report=junit=- --emit=trace",
    "boot": "--boot=1 --map=user --max-line=0x1000 --format=text",
    "snapshot": "--cr3=0x10000 --base=4096 --pat=0x0005040600010406 --pat=WB,WT,UC-,UC,WB,WP,UC-,WC --max-line=1 "
    "--format=sarif --report=itf=- --la57",
}


def some(random: Random, *names: str) -> tuple[str, ...]:
    """Up to three of some options."""
    return tuple(random.sample(names, random.randrange(min(4, len(names) + 1))))


def form(random: Random) -> tuple[str, ...]:
    """How it is reported: most often in text or JSON; now and then in several ways at once."""
    chance = random.randrange(16)
    if chance < 7:
        return ()
    if chance < 10:
        return (JSON,)
    if chance < 14:
        return (random.choice(FORMS),)
    return (random.choice(FORMS), "--report=html=@html") if chance < 15 else (JSON, QUIET, "--report=junit=@junit")


def plain(random: Random) -> tuple[str, ...]:
    return random.choice([(), (JSON,), (QUIET,)])


def check(random: Random, *names: str) -> tuple[str, ...]:
    emit = ("--emit=trace", "--emit-output=@emitted") if not random.randrange(12) else ()
    return ("check", *some(random, *names), *form(random), *emit)


def of(source: Text, *names: str, boot: int = 6) -> Cases:
    """`check` with some options, or `boot` once in so many times, with a file to read, or standard input."""

    def made(random: Random) -> Case:
        read = source(random)
        given = ("boot", *plain(random)) if not random.randrange(boot) else check(random, *names)
        if not random.randrange(12):
            return Case((*given, "-"), {}, read)
        return Case((*given, "@input"), {"input": read})

    return made


def spoilt(sources: Sequence[bytes]) -> Text:
    return lambda random: mutated(random, sources)


def any_bytes(random: Random) -> Case:
    given = check(random) + random.choice(INPUTS) if random.randrange(6) else ("boot", *plain(random))
    return Case((*given, "@input"), {"input": random.randbytes(random.randrange(300))})


def maps_of_kmem(random: Random) -> Case:
    found = mutated(random, LOGS if random.randrange(2) else TRACES)
    given = ["--memory-map=@map", *(["--from-boot"] if not random.randrange(3) else [])]
    return Case(("check", *given, *form(random), "@input"), {"map": found, "input": random.choice(KMEM)})


def kmem_from_boot(random: Random) -> Case:
    """A kmem log from the machine's start on, at the stricter level."""
    files = {"map": SMALL_MAP, "input": mutated(random, KMEM)}
    return Case((*check(random, *WHOLE), "--memory-map=@map", "--from-boot", "@input"), files)


def geometries(random: Random) -> Case:
    kind = random.randrange(4)
    found = mutated(random, GEOMETRIES) if kind < 2 else text(random, 200).encode("utf-8", "replace")
    if kind == 3:
        found = random.randbytes(random.randrange(200))
    found = b"frames = 16\n" + found if random.randrange(2) else found
    read = ONE if random.randrange(2) else made_up(random)
    return Case(("check", "--geometry=@geometry", *form(random), "@input"), {"geometry": found, "input": read})


def monitor(random: Random) -> Case:
    files = {name: mutated(random, MONITOR) for name in ("input", "other")[: 1 + (not random.randrange(8))]}
    return Case(("snapshot", *form(random), *(f"@{name}" for name in files)), files)


def registers(random: Random) -> Case:
    files = {"registers": mutated(random, REGISTERS), "memory": MEMORY}
    return Case(("snapshot", *form(random), "--registers=@registers", "--base=0", "@memory"), files)


def spoilt_in_part(random: Random, whole: bytes, head: int) -> bytes:
    """Spoilt at its head, or anywhere."""
    if random.randrange(3):
        return mutated(random, [whole[:head]]) + whole[head:]
    return mutated(random, [whole])


def dumps(random: Random) -> Case:
    """Raw memory, an ELF core, a dump in kdump's format, plain and flattened."""
    kind = random.randrange(4)
    if kind == 0:
        given, memory = (f"--cr3={TOP:#x}", "--base=0x10000"), mutated(random, [MEMORY[TOP:]])
    elif kind == 1:
        given, memory = (), spoilt_in_part(random, CORE, 800)
    else:
        given, memory = (), spoilt_in_part(random, KDUMP if kind == 2 else FLATTENED, 4200 if kind == 2 else 4400)
    given += (f"--cr3={TOP:#x}",) * (not random.randrange(3)) + ("--la57",) * (not random.randrange(8))
    return Case(("snapshot", *form(random), *given, "@memory"), {"memory": memory})


def names(random: Random) -> Case:
    """Files that have names as no file should."""
    name = as_text(random, ["trace.jsonl", "log of a boot.txt", "résumé"]).replace("/", "")[:40].lstrip(".@") or "x"
    if random.randrange(3):
        return Case((*check(random, *CHECKED), f"@{name}"), {name: mutated(random, TRACES)})
    return Case(("snapshot", *form(random), f"@{name}"), {name: mutated(random, MONITOR)})


def typed(random: Random) -> Case:
    """What is typed after a command."""
    command = random.choice([*TYPED])
    given = [as_text(random, [random.choice(TYPED[command].split())]) for _ in range(random.randrange(1, 3))]
    given = [each for each in given if not names_a_file(each)]
    read = MEMORY if command == "snapshot" else random.choice(TRACES)
    return Case((command, *given, "@input"), {"input": read})


def names_a_file(argument: str) -> bool:
    """Whether it could be one that is read or written, which this reader is not about."""
    known = [each.partition("=")[0] for every in TYPED.values() for each in every.split()]
    name, _, value = argument.partition("=")
    if name not in known or not value:
        return re.fullmatch("--[a-z-]{2,}", argument) is None
    is_elsewhere = name == "--report" and value.partition("=")[2] != "-"
    return is_elsewhere or (name == "--executor" and value.startswith("dask:"))


READERS: dict[str, Cases] = {
    "events": of(made_up, *CHECKED, boot=20),
    "events that overlap": of(overlapping, "--budget=200", "--keep-going", "--ignore-unknown", boot=50),
    "traces": of(spoilt(TRACES), *CHECKED, boot=20),
    "compressed": of(spoilt(PACKED), *CHECKED),
    "memory maps": of(spoilt(LOGS), *WHOLE, boot=2),
    "kmem and slab logs": of(spoilt(KMEM), *WHOLE, boot=20),
    "kmem logs from boot": kmem_from_boot,
    "memory maps of kmem logs": maps_of_kmem,
    "any bytes": any_bytes,
    "geometries": geometries,
    "texts of QEMU": monitor,
    "registers": registers,
    "dumps and cores": dumps,
    "names of files": names,
    "options": typed,
}
