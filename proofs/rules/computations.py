"""The rules of impl/, as obligations of each component."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice

from memoracle.proofs.contracts.scope import State
from memoracle.proofs.obligations.obligation import Computation
from memoracle.proofs.processor_time import EndlessError
from memoracle.proofs.rules import constructs, sharing, totality

RULE = "refinement"
EVERY_MODULE = "the text of every module of the component"
SMALL = "bounded: every call in every state of the scope of the contracts"
SHOWN = 5  # of what is wrong


def computations(component: str) -> list[Computation]:
    """The rules, as obligations of one component's reference."""

    walked: dict[type, list[State]] = {}  # the states that one rule has found, for another

    def rule(name: str, claim: str, complaints: Callable[[str], Iterable[str]], scope: str) -> Computation:
        def run() -> str | None:
            try:
                return "\n".join(islice(complaints(component), SHOWN)) or None
            except EndlessError as endless:  # while the states were looked for, in which the rule is held
                return str(endless)

        return Computation(f"{component}.code.{name}", component, RULE, claim, run, scope, together=f"{component}.code")

    return [
        rule(
            "uses-listed-constructs",
            "the code is made of constructs that cannot tell a proof from a run, and keep no state outside objects",
            constructs.complaints,
            EVERY_MODULE,
        ),
        rule(
            "shares-no-container",
            "no function hands out or keeps a container that its caller has too, but where it says so, and the "
            "containers of an object are distinct: from one another, from any other object's and from a module's",
            partial(sharing.complaints, walked=walked),
            SMALL,
        ),
        rule(
            "refuses-what-is-out-of-reach",
            "whatever numbers a method is given, it raises no error, and refuses what it cannot do, by its contract",
            partial(totality.complaints, walked=walked),
            totality.SCOPE,
        ),
    ]
