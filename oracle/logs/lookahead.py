"""The lines of a text that may concern a memory map, and those that follow any of them."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import NamedTuple

from memoracle.logs.boots import BootSigns
from memoracle.logs.cleaning import cleaned, continued, is_field, plain
from memoracle.logs.cut_text import TextEnd
from memoracle.logs.map_forms.table import HINT, NUMBER, WORDS
from memoracle.trace.inputs import InputError

MOST_LINES = 3  # that one record may be spread over
LONGEST = 16384  # characters of a line that may be a record's
SHAPE = re.compile(
    r"\[mem 0x[0-9a-f]{16}-|[0-9a-f]{16} [-@] [0-9a-f]{16}|\[[0-9a-f]{16}, [0-9a-f]{16}\]", re.IGNORECASE
)
PREFIX = re.compile(r".*[\s:\]>]")
STAMP = re.compile(r"^\s*(?:\[\s*\d[\d:./TZ+ -]*\]\s*)+(?:\[\s*\w+\]\s*)?")


class Line(NamedTuple):
    """A line's number, counted from 1, and what it says; a line written into another has the other's number.

    concerns: whether it may concern a map.  signs: how many signs of another boot stand up to here.
    """

    number: int
    text: str
    concerns: bool = True
    signs: int = 0


class Lookahead:
    """Gives the lines that may concern a map, and while a map is near, all.

    before: what the line before the last one said.
    """

    def __init__(self, path: str, lines: Iterable[bytes]) -> None:
        self.path = path
        self.lines = enumerate(lines, 1)
        self.ahead: deque[Line] = deque()
        self.end = TextEnd()
        self.signs = BootSigns()
        self.near = 0  # the last line that is near to a map
        self.before = self.last = Line(0, "")

    def __iter__(self) -> Iterator[Line]:
        while self.fill(1):
            line = self.ahead.popleft()
            self.before, self.last = self.last, line
            if line.concerns:
                yield self.without_soft_breaks(line)
            elif line.number <= self.near:
                yield line

    def without_soft_breaks(self, line: Line) -> Line:
        """A line of quoted-printable text, with the next ones as far as it goes on in them."""
        for _ in range(MOST_LINES):
            said = continued(line.text)
            if said is None or not self.fill(1):
                break
            if is_field(said) and not self.ahead[0].text.startswith("=3D"):
                break
            line = line._replace(text=said + " ".join(cleaned(self.ahead.popleft().text.encode())))
        return line

    def fill(self, count: int) -> bool:
        """Reads on until so many lines are ahead, if the text has them; empty lines are left out."""
        while len(self.ahead) < count:
            numbered = next(self.lines, None)
            if numbered is None:
                return False
            number, line = numbered
            self.end.see(number, line)
            signs = self.signs.see(line)
            if may_concern_maps(line):
                for part in cleaned(line):
                    if len(part) <= LONGEST:
                        self.ahead.append(Line(number, part, HINT.search(part) is not None, signs))
                    elif SHAPE.search(part):
                        raise InputError(self.path, number, f"a line of {len(part):,} characters has a record in it")
            elif line.strip() and len(line) <= LONGEST:
                self.ahead.append(Line(number, line.decode("utf-8", "replace"), False, signs))
        return True

    def following(self, line: str, count: int) -> list[str]:
        """The next lines, without what stands around them, and before the line as well."""
        self.fill(count)
        texts = [" ".join(cleaned(next_line.text.encode())) for next_line in list(self.ahead)[:count]]
        return [without_stamp(text[common_prefix(line, text) :]).strip() for text in texts]

    def skip(self, count: int) -> None:
        for _ in range(count):
            self.ahead.popleft()


def may_concern_maps(line: bytes) -> bool:
    """Whether a line may have to do with a memory map: a quick look at it, and then a closer one.

    A label at its end may have its record in the next line.
    """
    text = line.lower()
    if not (any(word in text for word in WORDS) or NUMBER.search(text) or text.rstrip().endswith(b":")):
        return False
    return HINT.search(plain(line)) is not None


def without_stamp(text: str) -> str:
    """A line without the time and the task that it may begin with."""
    return STAMP.sub("", text)


def common_prefix(line: str, other: str) -> int:
    """How many characters two lines have in common before the record of the first: a time, a host, a file."""
    record = HINT.search(line)
    pairs = zip(line[: record.start() if record else 0], other, strict=False)
    alike = takewhile(lambda pair: pair[0] == pair[1] or all(map(str.isdigit, pair)), pairs)
    found = PREFIX.match(other[: sum(1 for _ in alike)])
    return found.end() if found else 0
