"""Whether a test fails: built and run in a folder of its own, watched, before anybody is given it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from memoracle.drive.binding import Binding
from memoracle.reproducers.c import OTHER_COURSE_STATUS, SECONDS, linked
from memoracle.trace.quoting import escaped, shortened

BUILD_SECONDS = 120
FAILED, PASSED, SKIPPED, ENDED = "fails", "passes", "takes another course", "ends with another status"
NOT_BUILT, NOT_RUN = "does not build", "was not run"
RUST_FAILED, PYTEST_FAILED = 101, 1


@dataclass(frozen=True)
class Verified:
    """outcome: one of those above.  why: what a compiler or the test said."""

    outcome: str
    why: str = ""


def run_c(text: str, binding: Binding, dies: bool) -> Verified:
    """dies: whether the test fails because the target ends it."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return Verified(NOT_RUN, "there is no C compiler")
    return _built([compiler], "reproducer.c", [*linked(binding), "-o"], text, 1, dies)


def run_cpp(text: str, binding: Binding, dies: bool) -> Verified:
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        return Verified(NOT_RUN, "there is no C++ compiler")
    includes = subprocess.run(
        [compiler, "-E", "-x", "c++", "-"], input=b"#include <gtest/gtest.h>", capture_output=True, check=False
    )
    if includes.returncode:
        return Verified(NOT_RUN, "GoogleTest is not installed")
    libraries = ["-lgtest", "-lgtest_main", "-pthread", "-o"]
    return _built([compiler, "-std=c++17"], "reproducer.cc", [*linked(binding), *libraries], text, 1, dies)


def run_rust(text: str, binding: Binding, dies: bool) -> Verified:
    compiler = shutil.which("rustc")
    if compiler is None:
        return Verified(NOT_RUN, "there is no Rust compiler")
    options = [part for each in linked(binding) for part in ("-C", f"link-arg={each}")]
    return _built([compiler, "--edition", "2021", "--test"], "reproducer.rs", [*options, "-o"], text, RUST_FAILED, dies)


def run_pytest(text: str) -> Verified:
    if importlib.util.find_spec("pytest") is None:
        return Verified(NOT_RUN, "pytest is not installed")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "test_reproducer.py"
        file.write_text(text)
        settings = Path(folder) / "pytest.ini"
        settings.write_text("[pytest]\n")
        options = ["-q", "-p", "no:cacheprovider", "--rootdir", folder, "-c", str(settings)]
        command = [sys.executable, "-B", "-m", "pytest", *options, str(file)]
        plain = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
        found = _run(command, 3 * SECONDS, {**plain, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
    if found.status == PYTEST_FAILED:
        return Verified(FAILED)
    is_skipped = found.status == 0 and "1 skipped" in found.text
    return Verified(SKIPPED if is_skipped else PASSED if found.status == 0 else NOT_BUILT, _last(found.text))


@dataclass(frozen=True)
class _Ended:
    status: int | None  # None: it hung
    text: str


def _built(compiler: Sequence[str], name: str, options: Sequence[str], text: str, failed: int, dies: bool) -> Verified:
    with tempfile.TemporaryDirectory() as folder:
        file, program = Path(folder) / name, Path(folder) / "reproducer"
        file.write_text(text)
        built = _run([*compiler, str(file), *options, str(program)], BUILD_SECONDS)
        if built.status:
            return Verified(NOT_BUILT, _first(built.text))
        found = _run([str(program)], 2 * SECONDS)
    if found.status is None or found.status < 0 or found.status not in (0, failed, OTHER_COURSE_STATUS):
        return Verified(FAILED) if dies else Verified(ENDED, "it hung" if found.status is None else f"{found.status}")
    if found.status == OTHER_COURSE_STATUS or (found.status == 0 and _says_so(found.text)):
        return Verified(SKIPPED, _last(found.text))
    if found.status == 0:
        return Verified(PASSED)
    return Verified(FAILED)


def _says_so(text: str) -> bool:
    """Whether a test passes because it was skipped, in the words of GoogleTest or our own for Rust."""
    return "[  SKIPPED ]" in text or "not tested: " in text


def _run(command: Sequence[str], seconds: float, environment: Mapping[str, str] | None = None) -> _Ended:
    """Runs a command in a group of its own, which is ended with it."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=environment,
    ) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
            status: int | None = process.returncode
        except subprocess.TimeoutExpired:
            output, status = b"", None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return _Ended(status, output.decode(errors="replace"))


def _first(text: str) -> str:
    """The first fault that a compiler names."""
    lines = text.strip().splitlines()
    found = next((line for line in lines if "error" in line), lines[0] if lines else "")
    return escaped(shortened(found))


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return escaped(shortened(lines[-1])) if lines else ""
