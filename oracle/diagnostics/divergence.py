"""What is found where an implementation did what it must not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from memoracle.impl.kernel_half import KernelHalf
from memoracle.spec.clauses import Clause
from memoracle.spec.kernel_half import process_lives
from memoracle.trace.quoting import shortened

# What is left to an implementation that the law refuses.
REFUSAL = "only a refusal"
# In the place of a clause, after the operation's name: it failed wrongly; it differs from the reference's choice.
MUST_SUCCEED, PREFERS, MUST_NOT_CRASH = "must-succeed", "policy", "must-not-crash"
NO_CRASH = "no call crashes, whatever it asks for"
SHOWN = 16  # live processes, at the most


@dataclass(frozen=True)
class Finding:
    """One disagreement, before it is known where it stands.

    clause: the name of the clause that broke.  says: that rule in words.  message: what was seen, and the earlier line
    that it conflicts with.  legal: what was expected.  before, after: the state around it, fit for JSON.
    """

    clause: str
    says: str
    message: str
    legal: str
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Divergence:
    """A finding, and the event of the trace that it is about; file as the user gave it, line counted from 1.

    window: of a recording in which operations overlap, the lines and events of which no order is legal.
    window_is_cut_short: the budget ended before it was known whether a shorter window shows it, too.
    """

    file: str
    line: int
    event: Any
    finding: Finding
    window: tuple[tuple[int, Any], ...] = ()
    window_is_cut_short: bool = False


def broken(clause: Clause | None) -> Clause:
    """The clause that was found broken. That there is none would be a fault of this program: the reference refused
    what the law accepts, which is proved never to happen."""
    if clause is None:
        raise AssertionError("the reference and the law disagree")
    return clause


def since(line: int, words: str = "by") -> str:
    """The earlier line that a message points to; nothing where it is not known."""
    return f" ({words} line {line})" if line else ""


def of_unknown_process(tables: KernelHalf, process: int) -> Finding:
    """What is found where an operation of a process that does not exist succeeds."""
    clause, state = process_lives, {"processes": sorted(tables.live)[:SHOWN]}
    return Finding(clause.name, clause.says, f"process {process} does not exist", REFUSAL, state, state)


def wrongly_failed(op: str, error: object, legal: str, says: str, state: dict[str, Any]) -> Finding:
    """What is found where an operation fails that must succeed: nothing changes."""
    rule = says[:1].lower() + says[1:].rstrip(".")
    message = f"it failed ({shortened(str(error))}), but it must succeed"
    return Finding(f"{op}.{MUST_SUCCEED}", rule, message, legal, state, state)


def crashes(op: str, text: str, refused: str | None) -> Finding:
    """What is found where an implementation died in a call. refused: the rule by which it may refuse it, if any."""
    why = "" if refused is None else f"; it may be refused: {refused}"
    legal = "success or a refusal" if refused is None else REFUSAL
    return Finding(f"{op}.{MUST_NOT_CRASH}", NO_CRASH, f"it crashed ({text}){why}", legal)
