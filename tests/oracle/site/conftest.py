"""The site, built once for all tests, by a process that may not use the network."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from browser import needed

ROOT = Path(__file__).parents[3]
OFFLINE = """
import sys

def refuse(event, args):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise OSError(f"the network is asked for: {args}")

sys.addaudithook(refuse)
from mkdocs.__main__ import cli
cli()
"""


browser = pytest.fixture(needed, scope="package")


@pytest.fixture(scope="package")
def address(site: Path) -> Iterator[str]:
    """Where the site is served from, on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a word."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The folder of the site. Where several processes run tests, the first that needs it builds it for all."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if hasattr(request.config, "workerinput") else own
    folder, lock = shared / "site", shared / "site.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not folder.exists():
            built = build(folder)
            assert built.returncode == 0, built.stderr
            assert "WARNING" not in built.stderr, built.stderr
    return folder


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """What `make docs` runs. It is not quiet: then MkDocs would count no warning, and `--strict` mean nothing."""
    run = [sys.executable, "-c", OFFLINE, "build", "--strict", "--site-dir", str(folder)]
    environment = {"PATH": "/usr/bin:/bin", "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(run, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
