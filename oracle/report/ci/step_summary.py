"""The summary of a step of a GitHub job: Markdown, in which all that comes from outside is HTML without any markup."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path

from memoracle.console.counted import counted
from memoracle.console.output import OutputError
from memoracle.report.ci.cases import PROVE, Findings
from memoracle.trace.quoting import escaped

MOST_BYTES = 1 << 20  # of all summaries of a step; a larger file is refused whole
MOST_CASES = 50  # that are told of in full


def add_summary(path: str, found: Findings) -> None:
    """Adds to the file of a step's summary, as its other commands do; raises OutputError."""
    text = summary(found)
    try:
        there = Path(path).stat().st_size if Path(path).exists() else 0
        if there + len(text.encode()) > MOST_BYTES:
            text = summary(found, in_full=False)
        if there + len(text.encode()) > MOST_BYTES:
            return
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as fault:
        raise OutputError(f"{path}: cannot write: {fault.strerror or fault}") from None


def summary(found: Findings, in_full: bool = True) -> str:
    """in_full: with the reports of what is wrong."""
    lines = [f"### memoracle {found.command}: {found.verdict}", ""]
    told = list(rows(found))
    lines += ["<table>", *told[:MOST_CASES], "</table>", ""]
    if (more := len(told) - MOST_CASES) > 0:
        lines += [f"and {more:,} more", ""]
    failed = [case for case in found.cases if case.problems]
    for case in failed[:MOST_CASES] if in_full else ():
        lines += [f"<details open><summary>{plain(case.name)}</summary>", f"<pre>{html.escape(case.text)}</pre>"]
        lines += ["</details>", ""]
    if found.warnings:
        warnings = [f"<li>warning: {plain(each.told)}</li>" for each in found.warnings[:MOST_CASES]]
        if (more := len(found.warnings) - MOST_CASES) > 0:
            warnings.append(f"<li>and {counted(more, 'warning')} more</li>")
        lines += ["<ul>", *warnings, "</ul>", ""]
    return "\n".join(lines) + "\n"


def rows(found: Findings) -> Iterator[str]:
    """What came of each case; of proofs, whose cases are many, how many hold of each component."""
    for suite in found.suites:
        if found.command == PROVE:
            failed = sum(bool(case.problems) for case in suite.cases)
            said = f"{len(suite.cases) - failed:,} of {counted(len(suite.cases), 'obligation')} proved"
            yield row(suite.name, said, not failed)
        else:
            for case in suite.cases:
                yield row(case.name, case.said, not case.problems)


def row(name: str, said: str, holds: bool) -> str:
    return f"<tr><td>{'✅' if holds else '❌'}</td><td>{plain(name)}</td><td>{plain(said)}</td></tr>"


def plain(text: str) -> str:
    """A text of one line, in which no markup, name or number means anything."""
    return f"<code>{html.escape(escaped(text))}</code>"
