"""How long a proof takes that nothing is kept of, its repetition, and the peer: to load the solver alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Proving:
    """Seconds by the clock of whole commands."""

    cold: float
    warm: float
    loading: float


def proving(components: Sequence[str]) -> Proving:
    """Proves components with an empty cache, and once more; of no names, all; raises SystemExit where it fails."""
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, "-m", "memoracle", "prove", *components, "--quiet"]
        cold, warm = _seconds(command, cache), _seconds(command, cache)
        return Proving(cold, warm, _seconds([sys.executable, "-c", "import z3"], cache))


def _seconds(command: list[str], cache: str) -> float:
    started = time.perf_counter()
    done = subprocess.run(command, env=os.environ | {"XDG_CACHE_HOME": cache}, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with status {done.returncode}")
    return time.perf_counter() - started
