"""What all tests need."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from limits import be_patient

# A shell that starts a command in the background has it ignore interrupts, and so do the commands that tests start and
# interrupt: they would never end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes depends on what else the machine does, and which examples there are on chance: no test may
# fail for that. Others are tried with `pytest --hypothesis-profile=others`.
settings.register_profile("others", deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("any machine", settings.get_profile("others"), derandomize=True)
settings.load_profile("any machine")

# Tests of tens of seconds: one that is started last keeps one processor at work while the others have none.
FIRST = ("test_benchmarks.py", "test_kept.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in FIRST)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests prove is kept for this run of the tests, and not for the user's own runs."""
    base = tmp_path_factory.getbasetemp()
    with pytest.MonkeyPatch.context() as patch:
        shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
        patch.setenv("XDG_CACHE_HOME", str(shared / "cache"))
        yield


@pytest.fixture(scope="session", autouse=True)
def _patient() -> Iterator[None]:
    """No test that is not about a limit by the clock comes to one; a test that is sets a limit of its own."""
    with pytest.MonkeyPatch.context() as patch:
        be_patient(patch.setattr)
        yield
