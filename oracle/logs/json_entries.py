"""The entries of a log in JSON, one or several lines each, read as they come: what is damaged or cut is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from memoracle.logs.boots import journal_mark
from memoracle.trace.inputs import InputError
from memoracle.trace.quoting import quoted

MESSAGES = ("msg", "MESSAGE")
BOOT = "_BOOT_ID"
LIST = "dmesg"  # the key of the entries that `dmesg -J` puts in one object
TOKEN = re.compile(rb'\s+|"(?:[^"\\]|\\.)*"|[{}\[\]:,]|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null')
AROUND = re.compile(rb"^\s*(?:data:\s*)?\x1e?\s*")
LIKE_JSON = re.compile(rb'"\s*:|^\s*"|[{}]\s*,?\s*$')
ESCAPE = re.compile(r'\\(?!["\\/bfnrtu])')
SHOWN = 80  # characters of a damaged line
VALUE, KEY, COLON, COMMA = range(4)  # what may come next


class Container:
    """An object or an array that is read.

    key: of the value that is read.  fields: of an object, with the line of each value.  items: of an array.
    """

    def __init__(self, is_object: bool) -> None:
        self.is_object = is_object
        self.key = ""
        self.fields: dict[str, tuple[Any, int]] = {}
        self.items: list[Any] = []


class Entries:
    """Reads the text of one log. A comma too many, and an escape that JSON has not, are let pass."""

    def __init__(self, path: str, kind: str) -> None:
        self.path = path
        self.kind = kind
        self.open: list[Container] = []
        self.next = VALUE
        self.number = 0  # of the line that is read
        self.begun = 0  # the line in which the outermost object begins
        self.lines: list[list[bytes]] = []  # the messages of each line that was not given yet
        self.boot = ""

    def read(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """The messages in the places of their lines; raises InputError."""
        for self.number, line in enumerate(lines, 1):
            self.lines.append([])
            self.read_line(line)
            if not self.open or self.open[-1].key == LIST or self.is_list():
                yield from (b"\r".join(said).replace(b"\n", b"\r") + b"\n" for said in self.lines)
                self.lines.clear()
        if self.open:
            words = f"{self.kind}: the text ends here, within the object that begins in line {self.begun}"
            raise InputError(self.path, self.number, words)

    def is_list(self) -> bool:
        """Whether the next value is an entry in the list of an object."""
        return len(self.open) > 1 and not self.open[-1].is_object and self.open[-2].key == LIST

    def read_line(self, line: bytes) -> None:
        text = line if self.open else AROUND.sub(b"", line, count=1)
        if not self.open and not text.startswith((b"{", b",")):
            if LIKE_JSON.search(text):
                self.refuse(line)
            return
        if not self.open and (entry := _whole(text)) is not None:
            self.end(entry)
            return
        place = 0
        while place < len(text):
            found = TOKEN.match(text, place)
            if found is None:
                self.refuse(line)
            place = found.end()
            if found[0].strip() and not self.take(found[0]):
                self.refuse(line)

    def refuse(self, line: bytes) -> NoReturn:
        said = quoted(line.decode("utf-8", "replace").strip(), SHOWN)
        raise InputError(self.path, self.number, f"{self.kind}: it is damaged here: {said}")

    def take(self, token: bytes) -> bool:
        """Reads a token; False if it cannot stand here."""
        inside = self.open[-1] if self.open else None
        if inside is None and token == b",":
            return True
        if self.next == VALUE and token in (b"{", b"["):
            if inside is None:
                self.begun = self.number
            self.open.append(Container(token == b"{"))
            self.next = KEY if token == b"{" else VALUE
            return inside is not None or token == b"{"
        if inside is None:
            return False
        if token in (b"}", b"]"):
            if (token == b"}") != inside.is_object or self.next == (VALUE if inside.is_object else KEY):
                return False
            return self.next != COLON and self.close()
        return self.take_inside(inside, token)

    def take_inside(self, inside: Container, token: bytes) -> bool:
        if self.next == COMMA:
            self.next = KEY if inside.is_object else VALUE
            return token == b","
        if self.next == COLON:
            self.next = VALUE
            return token == b":"
        if token in (b":", b","):
            return False
        if self.next == KEY:
            inside.key, self.next = str(_value(token)), COLON
            return token.startswith(b'"')
        self.put(inside, _value(token))
        return True

    def put(self, inside: Container, value: Any) -> None:
        if inside.is_object:
            inside.fields[inside.key] = value, self.number
        else:
            inside.items.append(value)
        self.next = COMMA

    def close(self) -> bool:
        closed = self.open.pop()
        if closed.is_object:
            self.end(closed.fields)
        if not self.open:
            self.next = VALUE
        elif closed.is_object:
            self.next = COMMA  # an entry of a list need not be kept
        else:
            self.put(self.open[-1], closed.items)
        return True

    def end(self, fields: dict[str, tuple[Any, int]]) -> None:
        """Notes the message of an entry, and before it a mark if another boot begins there.

        Without a message, any text of it may be that: the key may be damaged.
        """
        said = [fields[key] for key in MESSAGES if key in fields]
        if not said and (not self.open or self.is_list()):
            said = [value for key, value in fields.items() if not key.startswith("_")]
        texts = [(text, line) for value, line in said if (text := _text(value))]
        boot = fields.get(BOOT, ("", 0))[0]
        if isinstance(boot, str) and boot and texts:
            if self.boot not in ("", boot):
                texts.insert(0, (journal_mark(boot), texts[0][1]))
            self.boot = boot
        for text, line in texts:
            place = (line or self.number) - self.number - 1
            self.lines[max(place, -len(self.lines))].append(text)


def _whole(text: bytes) -> dict[str, tuple[Any, int]] | None:
    """The fields of an entry that is one line; None if the line is none."""
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return {key: (value, 0) for key, value in entry.items()} if isinstance(entry, dict) and LIST not in entry else None


def _value(token: bytes) -> Any:
    text = token.decode("utf-8", "replace")
    if not text.startswith('"'):
        return int(text) if text.isdigit() and len(text) <= 3 else None
    try:
        return json.loads(text, strict=False)
    except ValueError:
        pass
    try:
        return json.loads(ESCAPE.sub(r"\\\\", text), strict=False)
    except ValueError:
        return text[1:-1]


def _text(value: Any) -> bytes:
    """The text of a message, which the journal writes as an array of bytes where it is not UTF-8; empty for others."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    try:
        return bytes(value) if isinstance(value, list) else b""
    except (TypeError, ValueError):
        return b""
