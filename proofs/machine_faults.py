"""Seeds faults in the page tables' code, and asks whether the emulated processor alone finds each.

`python -m memoracle.proofs.machine_faults [MODULE ...]`. A fault that changes no translation and no permission is none
that it could find.
"""

from __future__ import annotations

import argparse
import resource
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from memoracle.proofs.mutation import Mutant, mutants
from memoracle.proofs.pool import Failure, run_each
from memoracle.proofs.seeding import MEMORY, Verdict, seed, tree_of

MODULES = ("paging", "pte", "pat", "kernel_half")  # what the walk depends on
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
        from memoracle.proofs.machine_run import LEVELS, SEED, agree
    except Exception as error:
        return Verdict("broken", f"import: {type(error).__name__}: {error}")
    for level in LEVELS:
        failed = agree(level, calls, 0, SEED).failed
        if failed is not None:
            return Verdict("refuted", f"level {level}: {failed.wrong.reason}")
    return Verdict("survived", f"{calls} calls")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m memoracle.proofs.machine_faults", description=__doc__.split("\n")[0]
    )
    parser.add_argument("module", metavar="MODULE", nargs="*", help=f"of {', '.join(MODULES)} (default: paging)")
    args = parser.parse_args(arguments)
    for name in args.module:
        if name not in MODULES:
            parser.error(f"{name} is none of the modules")
    every = [mutant for name in args.module or ["paging"] for mutant in faults(name)]
    tasks: list[Callable[[], Verdict]] = [partial(tried, mutant) for mutant in every]
    count: Counter[str] = Counter()
    for place, found in run_each(tasks):
        mutant = every[place]
        verdict = Verdict("killed", found.reason) if isinstance(found, Failure) else found
        count[verdict.outcome] += 1
        if verdict.outcome != "refuted":
            line = f"{mutant.module}:{mutant.line} {mutant.function}: {verdict.outcome}, {verdict.by}\n"
            sys.stdout.write(f"{line}  - {mutant.original}\n  + {mutant.mutated}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(every)} faults: " + ", ".join(f"{what} {count[what]}" for what in sorted(count)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
