"""Heaps that are in use everywhere conform: the C library's, and others from the distribution's packages."""

from __future__ import annotations

import ctypes.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BINDING = Path(__file__).parents[3] / "examples" / "targets" / "malloc.toml"
# What is loaded late has little room for its variables of threads.
ENVIRONMENT = {**os.environ, "GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=4096"}


@pytest.mark.parametrize("name", ["c", "mimalloc", "jemalloc"])
def test_a_heap_conforms(tmp_path: Path, name: str) -> None:
    found = ctypes.util.find_library(name)
    if found is None:
        pytest.skip(f"lib{name} is not installed")
    binding = tmp_path / "malloc.toml"
    shutil.copy(BINDING, binding)
    binding.write_text(binding.read_text().replace("libc.so.6", str(path_of(found))))
    options = ["--format", "json", "--quiet", "--seed", "1", "--ops", "20000", "--fill"]
    command = [sys.executable, "-m", "memoracle", "drive", *options, str(binding)]
    ran = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=120)
    assert ran.returncode == 0, ran.stderr + ran.stdout[-2000:]
    document = json.loads(ran.stdout)
    assert (document["verdict"], document["calls"]) == ("conforms", 20000)
    operations = document["coverage"]["operations"]
    assert all(operations[each]["events"] > 500 for each in ("heap.new", "heap.delete", "heap.resize"))


def path_of(library: str) -> Path:
    """Where a library lies."""
    listed = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    lines = [line for line in listed.splitlines() if line.split()[:1] == [library] and "x86-64" in line]
    return Path((lines or [f"=> /lib/{library}"])[0].split("=>")[1].strip())
