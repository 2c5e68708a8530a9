"""What stands at the head of a test, and how texts stand in it without becoming a part of the program."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence

from memoracle.reproducers.failing_run import FailingRun
from memoracle.trace.quoting import escaped, shortened

WIDTH = 100


def head(run: FailingRun, how: Sequence[str]) -> list[str]:
    """What is wrong, and how the test is run: lines of a comment."""
    finding = run.finding
    told = {
        "rule": f"{finding.says} [{finding.clause}]",
        "call": f"{len(run.events)}: {run.said(len(run.events) - 1)}",
        "seen": finding.message,
        "legal": finding.legal,
    }
    lines = ["What memoracle found, as a test. It fails while this is so:"]
    for word, text in told.items():
        lines += textwrap.wrap(
            harmless(shortened(text, 500)), WIDTH, initial_indent=f"  {word:<6} ", subsequent_indent=" " * 9
        )
    return [*lines, "", *(harmless(each) for each in how)]


def harmless(text: str) -> str:
    """A text that ends no comment and goes on in no other line."""
    text = escaped(text).encode("ascii", "backslashreplace").decode()
    return text.replace("*/", "* /").replace("??/", "?? /").rstrip("\\")


def literal(text: str) -> str:
    """A string of ASCII, as C, C++, Rust and Python have it."""
    plain = escaped(text).encode("ascii", "backslashreplace").decode()
    return json.dumps(plain.replace("??", "? ?"))


def remarks(lines: Sequence[str], mark: str = "//") -> list[str]:
    return [f"{mark} {line}".rstrip() for line in lines]
