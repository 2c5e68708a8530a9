"""A failure as a test of GoogleTest."""

from __future__ import annotations

from memoracle.reproducers import c
from memoracle.reproducers.actions import FAILS, OTHER_COURSE, PASSES
from memoracle.reproducers.failing_run import FailingRun
from memoracle.reproducers.program import Program
from memoracle.reproducers.words import head, remarks

ENDS = {
    FAILS: "FAIL() << {words};",
    OTHER_COURSE: "GTEST_SKIP() << {words};",
    PASSES: "return;",
}
LIBRARIES = "-lgtest -lgtest_main -pthread"
TEXT = """\
{head}
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

extern "C" {{
{declarations}
}}

{numbers}
TEST(Memoracle, {name})
{{
    alarm({seconds});
{body}
}}
"""


def text(program: Program, run: FailingRun) -> str:
    command = c.build(program.binding, "c++ -std=c++17", "reproducer.cc")
    how = ["Build and run it:", f"  {command} {LIBRARIES} && ./reproducer"]
    callbacks = f'extern "C" {{\n{c.callbacks_in(program)}}}\n' if program.callbacks else ""
    return TEXT.format(
        head="\n".join(remarks(head(run, how))),
        declarations=program.binding.says.declarations.strip(),
        numbers=f"{c.NUMBERS}\n{c.helpers_of(program)}{callbacks}",
        name=name_of(run),
        body=c.body(program, ENDS),
        seconds=c.SECONDS,
    )


def name_of(run: FailingRun) -> str:
    """The clause as the name of a test: `bitmap.allocates-only-free` is BitmapAllocatesOnlyFree."""
    return "".join(part.capitalize() for part in run.finding.clause.replace(".", "-").replace("_", "-").split("-"))
