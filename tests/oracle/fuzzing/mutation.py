"""Good texts, spoilt: pieces lost, doubled, moved, exchanged or replaced, bits flipped, numbers at the edges."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

LONGEST = 40  # bytes of a piece
# What takes the place of a piece: what ends numbers, strings and lines, and what must never be run, opened or obeyed.
ENDS = [
    *(b"", b"\n", b"\0", b'"', b"{", b"}", b"[", b"]", b",", b":", b"-", b" ", b"\t", b"\r\n", b"\r", b"#", b"=", b"'"),
    *(b"\\", b"(", b")", b"/*", b"*/", b"//", b";"),
    *(b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\\u0000", b"\\ud800", b"\xc2\x85"),
]
NUMBERS = [
    *b"0 -1 1 7 255 4095 4096 0x0 0x200000 0xffffffff 4294967296 1e999 NaN -0 0.5 null true false".split(),
    *b"0x7fffffffffffffff 0xffff800000000000 0xfffffffffffff000 0xffffffffffffffff 9223372036854775807".split(),
    *b"18446744073709551615 18446744073709551616 0x10000000000000000 \xd9\xa3".split(),
    *(b"9" * 400, b"0x" + b"f" * 900, b"1 << (1 << 40)"),
]
COMMANDS = [
    *(b"\x1b[2J", b"\x1b]0;x\x07", b"\xc2\x9b2J", b"\xe2\x80\xae", b"\xe2\x80\xa8", b"\\u202e", b"\\u001b[2J"),
    *(b"::error::x", b"\n::stop-commands::x\n", b"\\n::error::", b"%0A::error::", b"##[error]x", b"##vso[x]"),
    *(b"</script><script>alert(1)</script>", b"<img src=x onerror=alert(1)>", b"'><b onclick=x>", b'\\" onload=\\"x'),
    *b"]]> --> <!-- &lt; &#0; {{7*7}} {%raw%} [x](javascript:x) ``` %n %s%s%s $(false) `false` ~root C:\\x".split(),
    *b"../../etc/passwd /dev/zero file:///etc/passwd https://example.org/".split(),
    *(b"<!ENTITY x>", b"; false", b"__import__('os').system('false')"),
]
PIECES = [*ENDS, *NUMBERS, *COMMANDS]
TOKEN = re.compile(rb"0x[0-9a-fA-F]+|[0-9]+|\w+|\"[^\"\n]*\"")


def place(random: Random, text: bytes) -> int:
    return random.randrange(len(text) + 1)


def stretch(random: Random, text: bytes) -> tuple[int, int]:
    start = place(random, text)
    return start, min(len(text), start + random.randrange(LONGEST + 1))


def line_at(text: bytes, at: int) -> tuple[int, int]:
    """Where the line begins and ends that a place is in."""
    end = text.find(b"\n", at)
    return text.rfind(b"\n", 0, at) + 1, len(text) if end < 0 else end + 1


def piece(random: Random) -> bytes:
    return random.choice(PIECES) if random.randrange(4) else random.randbytes(random.randrange(1, 7))


def replaced(random: Random, text: bytes) -> bytes:
    start, end = stretch(random, text)
    return text[:start] + piece(random) + text[end:]


def put_in(random: Random, text: bytes) -> bytes:
    at = place(random, text)
    return text[:at] + piece(random) + text[at:]


def doubled(random: Random, text: bytes) -> bytes:
    start, end = stretch(random, text)
    return text[:end] + text[start:]


def lost(random: Random, text: bytes) -> bytes:
    start, end = stretch(random, text)
    return text[:start] + text[end:]


def moved(random: Random, text: bytes) -> bytes:
    start, end = stretch(random, text)
    other, stop = stretch(random, text)
    return text[:start] + text[other:stop] + text[end:]


def flipped(random: Random, text: bytes) -> bytes:
    at = place(random, text)
    return text[:at] + bytes(each ^ 1 << random.randrange(8) for each in text[at : at + 1]) + text[at + 1 :]


def token_exchanged(random: Random, text: bytes) -> bytes:
    """A number, word or string for another, of the text or of the edges."""
    found = TOKEN.search(text, place(random, text))
    other = TOKEN.search(text, place(random, text)) if random.randrange(2) else None
    if found is None:
        return text
    return text[: found.start()] + (other[0] if other is not None else piece(random)) + text[found.end() :]


def number_exchanged(random: Random, text: bytes) -> bytes:
    found = re.compile(rb"0x[0-9a-fA-F]+|[0-9]+").search(text, place(random, text))
    return text if found is None else text[: found.start()] + random.choice(NUMBERS) + text[found.end() :]


def line_lost(random: Random, text: bytes) -> bytes:
    start, end = line_at(text, place(random, text))
    return text[:start] + text[end:]


def line_doubled(random: Random, text: bytes) -> bytes:
    start, end = line_at(text, place(random, text))
    return text[:end] + text[start:]


def lines_exchanged(random: Random, text: bytes) -> bytes:
    first, second = sorted([line_at(text, place(random, text)), line_at(text, place(random, text))])
    if first[1] > second[0]:
        return text
    one, other = text[slice(*first)], text[slice(*second)]
    return text[: first[0]] + other + text[first[1] : second[0]] + one + text[second[1] :]


def cut(random: Random, text: bytes) -> bytes:
    return text[: place(random, text)]


Change = Callable[[Random, bytes], bytes]
CHANGES: list[Change] = [
    *(replaced, put_in, doubled, lost, moved, flipped, token_exchanged, token_exchanged, number_exchanged),
    *(number_exchanged, line_lost, line_doubled, lines_exchanged, cut),
]


def lines_mutated(random: Random, sources: Sequence[bytes]) -> bytes:
    """The first lines of a good text, of which two at the most are lost, doubled or exchanged: often it is right."""
    lines = random.choice(sources).splitlines(keepends=True)
    text = b"".join(lines[: random.randrange(2, len(lines) + 1)])
    for _ in range(random.randrange(3)):
        text = random.choice([line_lost, line_doubled, lines_exchanged, number_exchanged])(random, text)
    return text


def mutated(random: Random, sources: Sequence[bytes]) -> bytes:
    """One of some good texts, or two of them joined, and spoilt."""
    text = random.choice(sources)
    if not random.randrange(16):
        other = random.choice(sources)
        text = text[: place(random, text)] + other[place(random, other) :]
    for _ in range(random.randrange(1, 7)):
        text = random.choice(CHANGES)(random, text)
    return text
