"""The rules of impl/, as obligations of each component."""

from __future__ import annotations

from memoracle.proofs.obligations.obligation import Computation
from memoracle.proofs.rules import constructs

RULE = "rule"
EVERY_MODULE = "every module of the component"


def computations(component: str) -> list[Computation]:
    """What the text of a component's reference must keep to."""
    claim = "the code is made of constructs that cannot tell a proof from a run, and keep no state outside objects"

    def listed() -> str | None:
        return "\n".join(constructs.complaints(component)) or None

    return [Computation(f"{component}.code.uses-listed-constructs", component, RULE, claim, listed, EVERY_MODULE)]
