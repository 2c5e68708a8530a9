"""The header of a trace, and where a trace begins in a file that holds several."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from msgspec import UNSET

from memoracle.spec.geometry import DEFAULT, Geometry
from memoracle.spec.geometry_keys import GeometryError
from memoracle.trace.decoding import Header, MalformedLine, decode_header, own_keys
from memoracle.trace.geometry import geometry_from
from memoracle.trace.inputs import InputError

FIRST_EVENT = 2  # the line after the header


def looks_like_trace(first: bytes) -> bool:
    """Whether an input whose first line is this one is a trace, or an event of one."""
    return first.lstrip().startswith(b"{")


def split(lines: Iterator[bytes]) -> Iterator[tuple[int, Iterator[bytes]]]:
    """The traces of an input that holds several, one after another: the number of the line with its header, its lines.

    What is left of a trace's lines is passed over before the next one.
    """
    number = 1
    header = next(lines, None)

    def events() -> Iterator[bytes]:
        nonlocal number, header
        for line in lines:
            number += 1
            if is_header(line):
                header = line
                return
            yield line

    while header is not None:
        trace = chain([header], events())
        header = None
        yield number, trace
        for _ in trace:
            pass


def is_header(line: bytes) -> bool:
    """Whether a trace starts at this line."""
    if b'"memoracle"' not in line:
        return False
    try:
        keys = own_keys(line)
    except MalformedLine:
        return False
    return "memoracle" in keys and "op" not in keys


def read_header(path: str, line: bytes, number: int = 1) -> Header:
    """The header, which is a trace's first line, with its number for messages; raises InputError."""
    try:
        return decode_header(line)
    except MalformedLine as fault:
        raise InputError(path, number, str(fault)) from None


def geometry_of(path: str, header: Header, number: int = 1) -> Geometry:
    """The geometry that a header states, or the default; its line's number is for messages. Raises InputError."""
    stated = DEFAULT if header.geometry is UNSET else header.geometry
    try:
        return geometry_from(stated)
    except GeometryError as fault:
        raise InputError(path, number, f"geometry: {fault}") from None
