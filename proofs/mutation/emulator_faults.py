"""Seeds faults in the page tables' code, and asks whether the emulated processor alone finds each.

`python -m memoracle.proofs.mutation.emulator_faults [MODULE ...]`. It cannot find a fault that changes no translation
and no permission: those of the page tables are listed in `emulator_survivors.toml`, with the reason.
"""

from __future__ import annotations

import argparse
import resource
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from memoracle.proofs.mutation.operators.mutants import Mutant, mutants
from memoracle.proofs.mutation.score import equivalents, shown
from memoracle.proofs.mutation.seeding import MEMORY, Verdict, seed, tree_of
from memoracle.proofs.obligations.process_pool import Failure, run_each

MODULES = ("paging", "pte", "pat", "kernel_half")  # what the walk depends on
SURVIVORS = Path(__file__).with_name("emulator_survivors.toml")
CALLS = 3_000  # for each size of leaves
SECONDS = 60  # of a processor's time for each fault


def faults(name: str) -> list[Mutant]:
    module = f"impl/{name}.py"
    return mutants(module, tree_of(module), law=False)


def tried(mutant: Mutant, calls: int = CALLS, seconds: int = SECONDS) -> Verdict:
    """What becomes of a fault; in a process of its own, which has not imported the sound module."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    seed(mutant)
    try:
        from memoracle.proofs.emulator.run import LEVELS, SEED, agree
    except Exception as error:
        return Verdict("broken", f"import: {type(error).__name__}: {error}")
    for level in LEVELS:
        failed = agree(level, calls, 0, SEED).failed
        if failed is not None:
            return Verdict("refuted", f"level {level}: {failed.wrong.reason}")
    return Verdict("survived", f"{calls} calls")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m memoracle.proofs.mutation.emulator_faults", description=__doc__.split("\n")[0]
    )
    parser.add_argument("module", metavar="MODULE", nargs="*", help=f"of {', '.join(MODULES)} (default: paging)")
    args = parser.parse_args(arguments)
    for name in args.module:
        if name not in MODULES:
            parser.error(f"{name} is none of the modules")
    listed = equivalents(SURVIVORS.read_text(encoding="utf-8"))
    every = [mutant for name in args.module or ["paging"] for mutant in faults(name)]
    tasks: list[Callable[[], Verdict]] = [partial(tried, mutant) for mutant in every]
    count: Counter[str] = Counter()
    for place, found in run_each(tasks):
        outcome, by = ("died", found.reason) if isinstance(found, Failure) else (found.outcome, found.by)
        if outcome == "survived" and every[place].key in listed:
            outcome = "changes no translation"
        if outcome == "survived":
            say(every[place], by)
        count[outcome] += 1
    sys.stdout.write(f"{len(every)} faults: {', '.join(f'{count[what]} {what}' for what in sorted(count))}\n")
    keys = {mutant.key for mutant in every}
    stale = [key for key in listed if key[0] in {key[0] for key in keys} and key not in keys]
    for key in stale:
        sys.stdout.write(f"{SURVIVORS.name}: there is no such fault: {shown(key)}\n")
    return 1 if count["survived"] or stale else 0


def say(mutant: Mutant, by: str) -> None:
    nth = f" (number {mutant.occurrence})" if mutant.occurrence else ""
    sys.stdout.write(f"{mutant.module}:{mutant.line} {mutant.function}{nth}: survived {by}\n")
    sys.stdout.write(f"  - {mutant.original}\n  + {mutant.mutated}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
