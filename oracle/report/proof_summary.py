"""What `prove` came to in three lines, to be pasted."""

from __future__ import annotations

import re
from importlib import metadata
from typing import TYPE_CHECKING

from memoracle.console.counted import counted
from memoracle.proving.geometry import OF_GEOMETRY
from memoracle.trace.quoting import escaped

if TYPE_CHECKING:
    from memoracle.report.proof_report import ProofRun

UP_TO = re.compile(r"^[^(:,;]+")  # of what is trusted: its name, without what is trusted of it


def three_lines(run: ProofRun, verdict: str, totals: dict[str, int], unbounded: int) -> str:
    """unbounded: how many claims are about any size."""
    count = len(run.results)
    own = sum(result.scope == OF_GEOMETRY for result in run.results)
    bounds = [
        f"{unbounded:,} for every size that 64-bit addresses admit",
        *([f"{own:,} of {escaped(run.geometry)}"] if own else []),
        f"{count - unbounded - own:,} within bounds that they name",
    ]
    components = list(dict.fromkeys(result.component for result in run.results))
    verdicts = ", ".join(f"{number:,} {each}" for each, number in totals.items())
    names = f" of {', '.join(components)}" if components else ""
    trust = (found.group().strip() for line in run.trust if (found := UP_TO.match(line)))
    return "\n".join(
        (
            f"memoracle {metadata.version('memoracle')}: {verdict}: {counted(count, 'obligation')}{names} ({verdicts})",
            ", ".join(bounds),
            f"trusted: {'; '.join(trust)}",
        )
    )
