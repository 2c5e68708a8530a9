"""In which line of a TOML file a key stands. Python's reader of TOML does not say: it is asked of single statements.

So nothing in the text can be taken for what it is not. Where a line is in doubt, none is named.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

MOST = 1 << 16  # characters of a file
LONGEST = 1 << 8  # lines of one statement
LAST_PART = re.compile(r"\.[^.\[]*$|\[\d+\]$")

Path: TypeAlias = tuple[str | int, ...]  # keys, and places in arrays
Lines: TypeAlias = dict[Path, int]  # by path, the line counted from 1; 0 where it is in doubt


def line_of(lines: Mapping[str, int], name: str) -> int | None:
    """The line of what a message calls so, or of the closest thing around it that stands in the file."""
    while name not in lines:
        name, parts = LAST_PART.subn("", name)
        if not parts:
            return None
    return lines[name] or None


def lines_of(text: str) -> dict[str, int]:
    """The line, counted from 1, of each key of a TOML file, and of each element of an array; 0 if it may be another.

    They are named as messages do it: `zones[1].name`. Where lines are not known for sure, what has them is left out.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    found = found_in(lines) if len(text) <= MOST else {}
    if set(found) != set(paths(tomllib.loads(text))):
        return {}
    named = dict[str, int]()
    for path, line in found.items():
        if line:
            name = name_of(path)
            named[name] = 0 if name in named else line
    return named


def name_of(path: Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)[1:]


def paths(content: object, above: Path = ()) -> Iterator[Path]:
    """What a document has, by path."""
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for part, each in inner:
        yield (*above, part)
        yield from paths(each, (*above, part))


def found_in(lines: list[str]) -> Lines:
    """Where each path first stands; what follows on a statement that cannot be read is left out."""
    found, arrays, table = Lines(), dict[Path, int](), Path()
    for first, end, content in statements(lines):
        if lines[first].lstrip(" \t").startswith("["):
            table = opened(arrays, content)
            for length in range(1, len(table) + 1):
                found.setdefault(table[:length], first + 1)
        else:
            for path, line in of_statement(lines[first:end], first + 1, content).items():
                found.setdefault(table + path, line)
    return found


def statements(lines: list[str]) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """The first line of each statement, the one after its last, and what it says by itself."""
    first = 0
    while first < len(lines):
        ends = range(first + 1, min(first + LONGEST, len(lines)) + 1)
        read = ((end, parsed(lines[first:end])) for end in ends)
        end, content = next(((end, content) for end, content in read if content is not None), (len(lines), None))
        if content:
            yield first, end, content
        first = end


def parsed(lines: list[str]) -> dict[str, Any] | None:
    try:
        return tomllib.loads("\n".join(lines) + "\n")
    except (ValueError, RecursionError):
        return None


def opened(arrays: dict[Path, int], content: dict[str, Any]) -> Path:
    """The path of the table that a header opens. arrays: of each array of tables, how many it has so far."""
    path, inner = Path(), content
    while inner:
        ((key, inner),) = inner.items()
        path += (key,)
        if isinstance(inner, list):
            arrays[path] = arrays.get(path, 0) + 1
            inner = {}
        if path in arrays:
            path += (arrays[path] - 1,)
    return path


def of_statement(lines: list[str], line: int, content: dict[str, Any]) -> Lines:
    """Where each path of a key with its value stands."""
    found = dict.fromkeys(paths(content), line if len(lines) == 1 else 0)
    ((name, value),) = content.items()
    path: Path = (name,)
    found[path] = line
    while isinstance(value, dict) and len(value) == 1:
        ((key, value),) = value.items()
        path += (key,)
    if isinstance(value, list) and parsed([lines[0], "]"]) is not None:
        for length in range(1, len(path) + 1):
            found[path[:length]] = line
        elements, depth = of_elements(lines, path), len(path)
        for each in found:
            if each[:depth] == path and len(each) > depth and each[depth] in elements:
                found[each] = line + elements[each[depth]]
    return found


def of_elements(lines: list[str], path: Path) -> dict[str | int, int]:
    """By its place, in which of the lines each element of an array stands; without those that need several."""
    found, count, complete = dict[str | int, int](), 0, True
    for at in range(len(lines)):
        content: Any = parsed(lines[: at + 1]) if at + 1 == len(lines) else parsed([*lines[: at + 1], "]"])
        before, complete = complete, content is not None
        if content is None:
            continue
        for key in path:
            content = content[key]
        if before:
            found |= dict.fromkeys(range(count, len(content)), at)
        count = len(content)
    return found
