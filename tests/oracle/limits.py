"""How long commands wait, or go on, by the clock: of a machine that is busy that says nothing."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType

PATIENCE = 120  # seconds
LIMITS = (
    "commands.drive.PATIENCE",
    "commands.drive.PATIENCE_WITH_PROGRAMS",
    "commands.drive_threads.PATIENCE_WITH_THREADS",
    "drive.native.installed.SECONDS",
    "drive.nursery.STARTING",
    "drive.program.PATIENCE",
    "drive.sessions.session.PATIENCE",
    "drive.sessions.session.SHRINKING",
    "drive.sessions.thorough.PATIENCE",
    "drive.sessions.thorough.SHRINKING",
    "proposals.c_text.PATIENCE",
    "proposals.trying.PATIENCE",
    "reproducers.recording.SECONDS",
    "reproducers.running.SECONDS",
    "scaling.clusters.CONNECTING",
    "snapshot.qmp.SECONDS",
)


def be_patient(change: Callable[[ModuleType, str, int], None] = setattr) -> None:
    """Puts all of these limits far off."""
    for each in LIMITS:
        module, _, name = each.rpartition(".")
        change(import_module(f"memoracle.{module}"), name, PATIENCE)
