"""A real Dask cluster on this machine: what its workers find is what is found here, even if one is killed."""

from __future__ import annotations

import json
import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import check_command
import pytest
from distributed import Client, LocalCluster

import memoracle
from memoracle.cli import main
from memoracle.proofs import evidence
from memoracle.proofs.obligations.process_pool import Failure
from memoracle.proving.spread import settling
from memoracle.scaling.clusters import of_cluster

ROOT = Path(__file__).parents[3]
EXAMPLES = [str(ROOT / "examples" / name) for name in ("conforming.jsonl", "diverging.jsonl", "overlapping.jsonl")]
STEP = 0.02  # seconds between two looks at what must come
PATIENCE = 120_000  # milliseconds that it may take at the most


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two processes, each with a thread that works."""
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as made:
        yield made


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main([*arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_a_worker_that_is_killed_loses_nothing(
    capsys: pytest.CaptureFixture[str], cluster: Any, tmp_path: Path
) -> None:
    """The unit that it has is a pipe that it waits for: it has it for sure when it is killed."""
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    killed: list[int] = []

    def kill_one() -> None:
        with reading(pipe), Client(cluster.scheduler_address, set_as_default=False) as client:
            while len(busy := [address for address, tasks in client.processing().items() if tasks]) != 1:
                time.sleep(STEP)
            killed.append(client.run(os.getpid)[busy[0]])
            ending = [killed[0], *children_of(killed[0])]  # what it had started ends with it
            watched = [os.pidfd_open(each) for each in ending]
            os.kill(killed[0], signal.SIGKILL)
            for each in watched:
                assert has_ended(each)
                os.close(each)
            # By another, to which the unit goes. Until it reads, the pipe is kept open: it would be at its end.
            with reading(pipe) as writer:
                os.write(writer, check_command.DIVERGING.encode())

    killer = threading.Thread(target=kill_one)
    killer.start()
    executor = f"dask:{cluster.scheduler_address}"
    files = [EXAMPLES[0], str(pipe), EXAMPLES[1]]
    status, out, errors = said(capsys, "check", "--format", "json", "--executor", executor, *files)
    killer.join()
    document = json.loads(out)
    assert len(killed) == 1
    assert (status, errors) == (1, "")
    assert [each["file"] for each in document["results"]] == files
    assert [each["verdict"] for each in document["results"]] == ["conforms", "diverges", "diverges"]
    alone = [
        memoracle.check(files[0]),
        memoracle.check(check_command.DIVERGING.splitlines()),
        memoracle.check(files[2]),
    ]
    assert [each["events"] for each in document["results"]] == [each.events for each in alone]


def children_of(process: int) -> list[int]:
    """The processes that a thread of this one started."""
    found = list[int]()
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):  # a thread that ends meanwhile waits for none
            found += map(int, path.read_text().split())
    return found


def has_ended(process: int) -> bool:
    """Whether a process ends while one may wait. process: a descriptor of it (pidfd)."""
    watched = select.poll()
    watched.register(process, select.POLLIN)
    return bool(watched.poll(PATIENCE))


@contextmanager
def reading(pipe: Path) -> Iterator[int]:
    """The end of a pipe that is written, once somebody reads the other; when it is closed, whoever does has an end."""
    while True:
        try:
            writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError:
            time.sleep(STEP)
    try:
        yield writer
    finally:
        os.close(writer)


def test_what_is_driven_elsewhere_is_held_to_the_law_and_shrunk_here(
    capsys: pytest.CaptureFixture[str], cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pool.py").write_text((ROOT / "examples" / "pool.py").read_text())
    (tmp_path / "pool.toml").write_text((ROOT / "examples" / "pool.toml").read_text())
    options = ["--geometry", "pool.toml", "--ops", "101", "--seed", "4", "--format", "json", "--quiet"]
    target = ["python3 pool.py", *options, "--executor", f"dask:{cluster.scheduler_address}"]
    status, out, _ = said(capsys, "drive", *target)
    document = json.loads(out)
    assert (status, document["verdict"], document["events"], document["calls"]) == (0, "conforms", 101, 101)


def test_claims_are_proved_elsewhere_by_their_names(cluster: Any) -> None:
    pieces = {each.unsettled.name: each for each in evidence.pieces(["pat", "boot"], False, False)}
    names = ["pat.decode.refines", "pat.lower-half-is-a-part", "boot.no-choice"]
    settle = settling(None, of_cluster(f"dask:{cluster.scheduler_address}"))
    found = dict(settle([[pieces[name]] for name in names]))
    results = [found[place] for place in range(3)]
    assert not any(isinstance(each, Failure) for each in results)
    assert [[(one.name, one.verdict, one.cached) for one in each] for each in results if isinstance(each, list)] == [
        [(name, "proved", False)] for name in names
    ]


def test_a_cluster_without_workers_and_one_that_is_not_there_are_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with LocalCluster(n_workers=0, processes=False, dashboard_address=":0", protocol="tcp") as empty:
        address = empty.scheduler_address
        # Only for what does not come it waits no longer.
        patient = Client.wait_for_workers
        monkeypatch.setattr(Client, "wait_for_workers", lambda client, count, timeout: patient(client, count, 0.3))
        status, out, errors = said(capsys, "check", "--executor", f"dask:{address}", EXAMPLES[0])
        assert (status, out) == (2, "")
        assert errors == f"memoracle: --executor: the scheduler at {address} has no workers\n"
    monkeypatch.setattr("memoracle.scaling.clusters.CONNECTING", 1)
    status, out, errors = said(capsys, "check", "--executor", f"dask:{address}", EXAMPLES[0])
    assert (status, out) == (2, "")
    assert errors.startswith(f"memoracle: --executor: no scheduler answers at {address}: ")
