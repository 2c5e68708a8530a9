"""What a run comes to where it is one test among others: what was put to the test, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from memoracle.trace.inputs import STDIN, shown

# What is wrong with a case. Each makes it fail: unknown and nothing are never success.
BROKEN, UNREADABLE, UNKNOWN, NOTHING, INTERRUPTED = "broken", "unreadable", "unknown", "nothing", "interrupted"

PROVE = "prove"  # the command whose cases are obligations, and no inputs


@dataclass(frozen=True)
class Rule:
    """says: in a sentence.  source: who or what states it, where that is known: `spec/bitmap.py:41`, a manual.

    is_of_law: whether `memoracle explain` knows it.
    """

    name: str
    says: str
    source: str | None = None
    is_of_law: bool = False


@dataclass(frozen=True)
class Place:
    """Where something stands. file: as the user gave it, or a file of this package.  line: counted from 1.

    says: what is there.  of_package: whether it is a file of this package.
    """

    file: str | None
    line: int | None = None
    says: str = ""
    of_package: bool = False

    @property
    def where(self) -> str:
        """The file and the line, as messages call these."""
        name = shown(self.file or STDIN)
        return name if self.line is None else f"{name}:{self.line}"

    @property
    def told(self) -> str:
        """The same with what is there."""
        return self.says if self.file is None else f"{self.where}: {self.says}"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. kind: BROKEN or another of these.  subject: what broke the rule.

    message: what was seen.  legal: what was expected.  detail: more lines about it.  identity: what makes it the same
    in another run, whatever lines came before it.  related: other places that it has to do with.
    """

    kind: str
    rule: Rule
    place: Place
    subject: str
    message: str
    legal: str = ""
    detail: str = ""
    identity: tuple[str, ...] = ()
    related: tuple[Place, ...] = ()

    @property
    def seen(self) -> str:
        """What broke the rule, and how."""
        return f"{self.subject}: {self.message}"

    @property
    def headline(self) -> str:
        """The same, with the rule's name; of an obligation, which is its own rule, the sentence."""
        said = f"{self.message}: {self.rule.says}" if self.rule.name == self.subject else self.seen
        return f"{said} [{self.rule.name}]"


@dataclass(frozen=True)
class Case:
    """One thing that was put to the test: a trace, a snapshot, an obligation.

    said: in one line, with the verdict.  text: the whole report of it, if something is wrong.  tested: what the verdict
    rests on.  seconds: that it took, where that is known.  warnings: what is worth knowing, and changes no verdict.
    """

    name: str
    said: str
    problems: Sequence[Problem] = ()
    text: str = ""
    tested: str = ""
    seconds: float | None = None
    warnings: Sequence[Place] = ()


@dataclass(frozen=True)
class Suite:
    """Cases that belong together: the traces of a file, the obligations of a component."""

    name: str
    cases: Sequence[Case]
    file: str | None = None


@dataclass(frozen=True)
class Findings:
    """All of a run. said: in a line, with the verdict."""

    command: str
    verdict: str
    said: str
    suites: Sequence[Suite]

    @property
    def cases(self) -> list[Case]:
        return [case for suite in self.suites for case in suite.cases]

    @property
    def problems(self) -> list[Problem]:
        return [problem for case in self.cases for problem in case.problems]

    @property
    def warnings(self) -> list[Place]:
        return [warning for case in self.cases for warning in case.warnings]
