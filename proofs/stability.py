"""Whether a proof hangs on luck: every claim is put to the solver with several seeds, which must all prove it.

`make stability` (`python -m memoracle.proofs.stability [COMPONENT ...]`) ends with 0 if each claim is proved with each
seed, with 1 if one is refuted with some seed, and with 3 if one is not proved with some seed. What is settled by
running something has no seed, and is left out. Nothing is taken from the cache, so it takes as long as so many proofs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import median

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from memoracle.proofs.budgets import PROVED, WARNED
from memoracle.proofs.obligations import discharge, solver
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.obligations.process_pool import Failure, run_each
from memoracle.proofs.registry import COMPONENTS, obligations

SEEDS = 10
WORST = 10  # claims that are shown
UNSETTLED = discharge.Result("", "", "", "", "", "unknown", solver.VERSION, 0, 0, False, "", None)


@dataclass
class Claim:
    """What came of a claim, or of several that are proved at once, with each seed."""

    name: str
    members: list[Obligation]
    costs: list[int] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)

    @property
    def spread(self) -> float:
        """How many times the least cost the highest is."""
        return max(self.costs) / max(min(self.costs), 1)

    def note(self, results: Sequence[discharge.Result]) -> None:
        """Adds what came of it with one more seed."""
        self.costs.append(sum(each.rlimit for each in results))
        others = sorted({each.verdict for each in results} - {PROVED})
        self.verdicts.append("refuted" if "refuted" in others else others[0] if others else PROVED)


def claims(components: Sequence[str]) -> list[Claim]:
    """What the solver is asked of these components, or of all: what is proved at once is one claim."""
    found: dict[str, Claim] = {}
    for each in obligations(list(components)):
        if isinstance(each, Obligation):
            name = each.together or each.name
            found.setdefault(name, Claim(name, [])).members.append(each)
    return list(found.values())


def settled(members: Sequence[Obligation], seed: int) -> list[discharge.Result]:
    """What comes of a claim with a seed. This process asks with no other from then on."""
    solver.SEED = seed
    if len(members) > 1:
        return discharge.jointly(members, use_cache=False)
    return [discharge.discharge(members[0], use_cache=False)]


def try_seeds(every: Sequence[Claim], seeds: Iterable[int], jobs: int | None, progress: Progress) -> None:
    """Notes of each claim what comes of it with each seed."""
    tasks = [(claim, seed) for seed in seeds for claim in every]
    bar = progress.add_task("proving with each seed", total=len(tasks))
    solver.prepare()
    found: dict[int, list[discharge.Result] | Failure] = {}
    for place, results in run_each([partial(settled, claim.members, seed) for claim, seed in tasks], jobs):
        found[place] = results
        progress.advance(bar)
        progress.refresh()
    for place, (claim, _) in enumerate(tasks):
        outcome = found[place]
        if isinstance(outcome, Failure):
            outcome = [replace(UNSETTLED, name=claim.name, counterexample=outcome.reason)]
        claim.note(outcome)


def report(every: Sequence[Claim], seeds: int, console: Console) -> int:
    """Prints the claims whose cost differs most, and those that are not proved; returns the exit status."""
    drawn = Table("claim", title=f"The largest spreads of cost (rlimit) over {counted(seeds)}", title_justify="left")
    for column in ("least", "median", "most", "most / least"):
        drawn.add_column(column, justify="right", no_wrap=True)
    for each in sorted(every, key=lambda each: each.spread, reverse=True)[:WORST]:
        costs = (f"{cost:,.0f}" for cost in (min(each.costs), median(each.costs), max(each.costs)))
        drawn.add_row(Text(each.name), *costs, f"{each.spread:.2f}")
    console.print(drawn)
    for each in every:
        for seed, verdict in enumerate(each.verdicts):
            if verdict != PROVED:
                console.print(Text(f"{verdict} with seed {seed}: {each.name}", "bold red"))
    totals = [sum(costs) for costs in zip(*(each.costs for each in every), strict=True)]
    verdicts = {verdict for each in every for verdict in each.verdicts}
    steady = sum(len({*each.verdicts}) == 1 for each in every)
    wide = sum(each.spread > WARNED for each in every)
    console.print(
        f"{len(every):,} claims with {counted(seeds)}: {steady:,} have the same verdict with each, "
        f"{sum({*each.verdicts} == {PROVED} for each in every):,} are proved with each"
    )
    console.print(
        f"{wide:,} of them cost more than {WARNED} times their least; all together {min(totals):,} to {max(totals):,}"
    )
    return 1 if "refuted" in verdicts else 0 if verdicts == {PROVED} else 3


def counted(seeds: int) -> str:
    return f"{seeds} seed{'' if seeds == 1 else 's'}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Proves each claim with each seed; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m memoracle.proofs.stability", description=__doc__.split("\n")[0])
    known = ", ".join(COMPONENTS)
    parser.add_argument("component", metavar="COMPONENT", nargs="*", help=f"of {known} (default: all)")
    parser.add_argument("--seeds", type=int, metavar="N", default=SEEDS, help=f"how many (default: {SEEDS})")
    parser.add_argument("--jobs", type=int, metavar="N", help="at once (default: as many as there are processors)")
    args = parser.parse_args(arguments)
    for name in args.component:
        if name not in COMPONENTS:
            parser.error(f"{name} is no component")
    for option in ("seeds", "jobs"):
        if (getattr(args, option) or 1) < 1 or getattr(args, option) == 0:
            parser.error(f"--{option}: a positive number was expected")
    every = claims(args.component)
    errors = Console(stderr=True)
    with Progress(console=errors, transient=True, auto_refresh=False, disable=not errors.is_terminal) as progress:
        try_seeds(every, range(args.seeds), args.jobs, progress)
    return report(every, args.seeds, Console(width=None if sys.stdout.isatty() else 120))


if __name__ == "__main__":
    sys.exit(main())
