"""The text of a header, or of a source, without directives and bodies: declarations that pycparser can read."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from memoracle.trace.inputs import InputError

MOST_BYTES = 1 << 20
PATIENCE = 10  # seconds, of the preprocessor
STANDARD = """assert errno inttypes limits math pthread stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib
    stdnoreturn string strings time unistd sys/mman sys/types"""
CONTENTS = {  # of these headers; others are empty, since their types are known and nothing else of them is needed
    "assert": "#define assert(x) ((void)0)\n",
    "stdbool": "#define bool _Bool\n#define true 1\n#define false 0\n",
    "stdnoreturn": "#define noreturn _Noreturn\n",
    "stdalign": "#define alignas(x)\n",
    "stdatomic": "#define _Atomic\n",
}
EMPTY_MACROS = ("__attribute__(x)", "__declspec(x)", "_Alignas(x)", "__extension__", "constexpr")
SPELLED = ("inline", "restrict", "volatile", "const")  # keywords that are spelled `__inline` and `__inline__`, too
OPTIONS = [
    *(f"-D{each}=" for each in EMPTY_MACROS),
    *(f"-D{spelling}={each}" for each in SPELLED for spelling in (f"__{each}", f"__{each}__")),
]
COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*|("(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')', re.DOTALL)
DIRECTIVE = re.compile(r"\s*#\s*(\w+)\s*(.*)")
DEFINE = re.compile(r"^\s*#\s*define\s+(\w+)\s+\(?\s*(0[xX][0-9a-fA-F]+|\d+)[uUlL]*\s*\)?\s*$", re.MULTILINE)
ATTRIBUTE = re.compile(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)|\[\[[^]]*\]\]|__extension__")
OPENING, CLOSING = "{", "}"


def read_source(path: str) -> str:
    """The text of a file; raises InputError."""
    try:
        content = Path(path).read_bytes()
    except OSError as fault:
        raise InputError(path, None, f"cannot read: {fault.strerror or fault}") from None
    if len(content) > MOST_BYTES or b"\0" in content:
        raise InputError(path, None, "this is no header in C")
    return content.decode(errors="replace")


def defined_numbers(text: str) -> dict[str, int]:
    """The constants that a text defines by directives."""
    return {name: number for name, value in DEFINE.findall(text) if (number := constant(value)) is not None}


def constant(text: str) -> int | None:
    """The value of an integer constant without its suffix; None for what is none."""
    try:
        return int(text, 8 if re.fullmatch("0[0-9]+", text) else 0)
    except ValueError:  # also of digits without end
        return None


def without_directives(path: str, text: str) -> str:
    """As the preprocessor leaves it where there is one that can; otherwise the first branch of each condition."""
    found = _preprocessed(path) if shutil.which("cc") else None
    return ATTRIBUTE.sub(" ", without_comments(first_branches(text) if found is None else found))


def without_comments(text: str) -> str:
    return COMMENT.sub(lambda found: found[1] or " ", text)


def _preprocessed(path: str) -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        for name in STANDARD.split():
            header = Path(folder, f"{name}.h")
            header.parent.mkdir(exist_ok=True)
            header.write_text(CONTENTS.get(name, ""))
        source = str(Path(path).resolve())
        command = ["cc", "-E", "-P", "-nostdinc", "-undef", "-x", "c", *OPTIONS, "-I", folder, source]
        try:
            found = subprocess.run(command, capture_output=True, timeout=PATIENCE, stdin=subprocess.DEVNULL, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
    return found.stdout.decode(errors="replace")


def first_branches(text: str) -> str:
    """A text without directives; of conditions, what stands in the first branch, but for `__cplusplus` and 0."""
    kept, taken = list[str](), list[bool]()  # taken: by open condition, whether its branch is
    for line in without_comments(text).replace("\\\n", " ").split("\n"):
        found = DIRECTIVE.match(line)
        if found is None:
            if all(taken):
                kept.append(line)
            continue
        word, rest = found[1], found[2].strip()
        if word in ("if", "ifdef", "ifndef"):
            taken.append(not (rest == "0" or ("__cplusplus" in rest and word != "ifndef")))
        elif word in ("else", "elif") and taken:
            taken[-1] = False
        elif word == "endif" and taken:
            taken.pop()
    return "\n".join(kept)


def declarations_in(text: str) -> Iterator[str]:
    """The declarations of the outermost level, each up to its semicolon; without bodies and values."""
    depth, start, parentheses = 0, 0, 0
    found, place = "", 0
    while place < len(text):
        character = text[place]
        if character in "\"'":
            end = _end_of_text(text, place)
            place = end
            continue
        if character == OPENING and depth == 0 and not parentheses and _is_body(found + text[start:place]):
            end = _end_of_braces(text, place)
            yield _declaration(found + text[start:place])
            found, start, place = "", end, end
            continue
        depth += (character == OPENING) - (character == CLOSING)
        parentheses += (character == "(") - (character == ")")
        if character == ";" and depth == 0:
            yield _declaration(found + text[start:place])
            found, start = "", place + 1
        place += 1


def _is_body(before: str) -> bool:
    """Whether braces after this are a function's."""
    return before.rstrip().endswith(")") and not re.match(r"\s*(typedef|struct|union|enum)\b[^()]*$", before)


def _declaration(text: str) -> str:
    head, equals, _ = text.partition("=")
    is_value = equals and OPENING not in head and not re.match(r"\s*(typedef\s+)?enum\b", head)
    return f"{(head if is_value else text).strip()};"


def _end_of_text(text: str, place: int) -> int:
    quote = text[place]
    place += 1
    while place < len(text) and text[place] != quote:
        place += 2 if text[place] == "\\" else 1
    return place + 1


def _end_of_braces(text: str, place: int) -> int:
    depth = 0
    while place < len(text):
        if text[place] in "\"'":
            place = _end_of_text(text, place)
            continue
        depth += (text[place] == OPENING) - (text[place] == CLOSING)
        place += 1
        if depth == 0:
            break
    return place
