"""Heaps that are in use everywhere conform: the C library's, and others from the distribution's packages."""

from __future__ import annotations

import ctypes.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from memoracle.drive.binding_file import load_binding

BINDING = Path(__file__).parents[3] / "examples" / "targets" / "malloc.toml"
# What is loaded late has little room for its variables of threads.
ENVIRONMENT = {**os.environ, "GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=4096"}


@pytest.mark.parametrize("name", ["c", "mimalloc", "jemalloc"])
def test_a_heap_conforms(tmp_path: Path, name: str) -> None:
    found = ctypes.util.find_library(name)
    if found is None:
        pytest.skip(f"lib{name} is not installed")
    options = ["--format", "json", "--quiet", "--seed", "1", "--ops", "20000", "--fill", "--call-time", "120"]
    command = [sys.executable, "-m", "memoracle", "drive", found, "--binding", str(BINDING), *options]
    ran = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=600, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr + ran.stdout[-2000:]
    document = json.loads(ran.stdout)
    assert (document["verdict"], document["calls"]) == ("conforms", 20000)
    operations = document["coverage"]["operations"]
    assert all(operations[each]["events"] > 500 for each in ("heap.new", "heap.delete", "heap.resize"))


def test_a_library_beside_its_binding_comes_first(tmp_path: Path) -> None:
    binding = tmp_path / "malloc.toml"
    binding.write_text(BINDING.read_text())
    assert load_binding(str(binding)).library.is_absolute()
    assert load_binding(str(binding)).library != tmp_path / "libc.so.6"
    assert load_binding(str(binding), "./libc.so.6").library == Path("libc.so.6")
    assert load_binding(str(binding), "no-such-library.so").library == Path("no-such-library.so")
    (tmp_path / "libc.so.6").touch()
    assert load_binding(str(binding)).library == tmp_path / "libc.so.6"
