"""Text that comes from outside, made fit to be shown.

What a trace, a log or a file's name says is shown on terminals and in the logs of CI runners, both of which obey some
of what they are shown: control characters, and lines with a prefix such as `::error::` or `##[error]`.
"""

from __future__ import annotations

import re

MOST = 200  # characters of a text that is quoted
MOST_KEPT = 1000  # of one in a machine-readable report, and of a whole message
DEEPEST = 20  # arrays and objects inside of one another
COMMAND = re.compile(r"##(?=\w*\[)")  # of a runner, wherever it stands in a line: GitHub, Azure, TeamCity
LINE_COMMAND = re.compile(r"^(\s*):(?=:)", re.MULTILINE)  # of a runner, where a line begins with it: GitHub


def escaped(text: str) -> str:
    """The same text on one line: what is not printable is written as Python and JSON write it (`\\n`, `\\u202e`)."""
    if not text.isprintable():
        text = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    return COMMAND.sub(r"#\\x23", text)


def escaped_lines(text: str) -> str:
    """Several lines, each as `escaped` has it."""
    return "\n".join(map(escaped, text.split("\n")))


def escaped_in_json(line: str) -> str:
    """A line of JSON that says the same: what is not printable is written as JSON can write it."""
    if not line.isprintable():
        line = "".join(each if each.isprintable() else _units(each) for each in line)
    return COMMAND.sub(r"#\\u0023", line)


def _units(character: str) -> str:
    """A character as JSON writes it in ASCII: its units of UTF-16."""
    text = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{text[at : at + 2].hex()}" for at in range(0, len(text), 2))


def without_line_commands(text: str) -> str:
    """Lines of a report, none of which a CI runner takes for a command."""
    return LINE_COMMAND.sub(r"\1\\x3a", text)


def shortened(text: str, most: int = MOST) -> str:
    """The beginning of a text that is longer than so many characters."""
    return text if len(text) <= most else f"{text[:most]}..."


def abridged(value: object, depth: int = 0) -> object:
    """A JSON value, with what is long or deep in it left out."""
    if isinstance(value, str):
        return shortened(value, MOST_KEPT)
    if isinstance(value, list | dict) and depth == DEEPEST:
        return "..."
    if isinstance(value, list):
        return [abridged(each, depth + 1) for each in value]
    if isinstance(value, dict):
        return {shortened(key): abridged(each, depth + 1) for key, each in value.items()}
    return value


def said_by(fault: BaseException) -> str:
    """The type of an exception and its text, as far as it has one, in characters that a trace can have."""
    name = type(fault).__name__
    try:
        text = str(fault).encode(errors="backslashreplace").decode()
    except Exception:  # of its own text
        return name
    return f"{name}: {text}" if text else name


def quoted(text: str | bytes, most: int = MOST) -> str:
    """A text between quotation marks, escaped and shortened; bytes as UTF-8."""
    if isinstance(text, bytes):
        text = text[: 4 * most + 4].decode("utf-8", "backslashreplace")
    return f"'{escaped(shortened(text, most))}'"
