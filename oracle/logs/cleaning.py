"""A line of a log without what mail, web pages, terminals and CI systems put around the text that a kernel printed."""

from __future__ import annotations

import html
import re

TERMINAL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\^\[\[[0-9;]*m|\[\d{1,3}(?:;\d{1,3})*m"
)
NEW_LINE = re.compile(r"<(?:br|/p|/div|/li|/tr)\b[^<>]*>|\r|\\r\\n|\\n|\\r", re.IGNORECASE)
TAG = re.compile(r"</?[a-z][a-z0-9]*(?:\s[^<>]*)?/?>", re.IGNORECASE)
FORUM_TAG = re.compile(r"\[/?(?:color|font|size|b|i|u|code|quote|pre|indent)(?:=[^\]\[]*)?\]", re.IGNORECASE)
ENTITY = re.compile(r"&(?:#\d+|#x[0-9a-f]+|[a-z]+);", re.IGNORECASE)
FIELD = re.compile(r"\b(?:base_addr|base|length|len|size|type|attr|range)\s*$", re.IGNORECASE)
QUOTE = re.compile(r"^(?:\s{0,3}[>|] ?)+")  # of mail
SOFT_BREAK = re.compile(r"(?<![=<])=\s*$")  # of quoted-printable text, where a line goes on in the next
TYPOGRAPHY = str.maketrans({"\u2013": "-", "\u2014": "-", "\u2212": "-", "\u00a0": " ", "\u2026": ">", "\0": None})


def cleaned(line: bytes) -> list[str]:
    """What a line says; several lines, where it has line breaks written out."""
    text = line.decode("utf-8", "replace").rstrip("\r\n")
    return [part for part in NEW_LINE.split(_plain(text)) if part.strip()]


def plain(line: bytes) -> str:
    """A line without colours and the like, its characters as they are meant."""
    return _decoded(TERMINAL.sub("", line.decode("utf-8", "replace")).translate(TYPOGRAPHY))


def continued(text: str) -> str | None:
    """What a line of quoted-printable text says, if it goes on in the next one."""
    return SOFT_BREAK.sub("", text) if SOFT_BREAK.search(text) else None


def is_field(text: str) -> bool:
    """Whether a text ends with what has a `=` of its own after it, in records of memory maps."""
    return FIELD.search(text) is not None


def _plain(text: str) -> str:
    text = TERMINAL.sub("", text).translate(TYPOGRAPHY)
    if "<" in text:
        text = TAG.sub("", NEW_LINE.sub("\n", text)).replace("\n", "\r")
    text = _decoded(text)
    text = FORUM_TAG.sub("", QUOTE.sub("", text))
    if "=" in text:
        text = text.replace("=3D", "=")
        text = re.sub(r"(?:=20|=09){1,8}$", " ", text)
    return text.replace("\\t", "\t").replace('\\"', '"')


def _decoded(text: str) -> str:
    """A text with the references to characters that HTML writes."""
    return ENTITY.sub(lambda found: html.unescape(found[0]).replace("\xa0", " "), text) if "&" in text else text
