"""An executor that is chosen by name: a Dask cluster that runs already."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from importlib.util import find_spec

from memoracle.console.extras import MissingExtraError
from memoracle.scaling.workers import Workers
from memoracle.trace.inputs import InputError

OPTION = "--executor"
DASK = "dask:"
ADDRESS = re.compile(r"(tcp|tls|ucx|wss?)://[^/\s]+:[0-9]{1,5}")  # of a scheduler, as Dask has them
CONNECTING = 10  # seconds until a scheduler counts as unreachable, and a cluster as one without workers
NOISE = ("distributed", "tornado")  # what these log is about connections, and said here where it matters


def of_cluster(name: str) -> Workers:
    """The workers of a cluster. name: `dask:` and the address of its scheduler.

    Raises InputError for a name that is none, a scheduler that does not answer, or one without workers, and
    MissingExtraError without the extra `dask`.
    """
    address = name.removeprefix(DASK)
    if not name.startswith(DASK) or not ADDRESS.fullmatch(address):
        raise InputError(OPTION, None, f"{name!r} is no executor: {DASK}tcp://HOST:PORT is")
    if find_spec("distributed") is None:
        raise MissingExtraError(f"{OPTION} {DASK} needs the extra `dask`: pip install 'memoracle[dask]'")
    with _connected(address) as (_, count):
        pass

    @contextmanager
    def connected(_: int) -> Iterator[Executor]:
        with _connected(address) as (executor, _):
            yield executor

    return Workers(connected, count, OPTION)


@contextmanager
def _connected(address: str) -> Iterator[tuple[Executor, int]]:
    """An executor of a scheduler, and how many threads its workers have; raises InputError."""
    from distributed import Client

    for name in NOISE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = Client(address, timeout=CONNECTING, set_as_default=False)
    except (OSError, ValueError, ImportError, RuntimeError) as fault:
        raise InputError(OPTION, None, f"no scheduler answers at {address}: {fault}") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECTING)
        except TimeoutError:
            raise InputError(OPTION, None, f"the scheduler at {address} has no workers") from None
        yield client.get_executor(pure=False, retries=1), max(sum(client.nthreads().values()), 1)
