"""A failure as a test of KUnit, in a kernel module."""

from __future__ import annotations

from memoracle.reproducers import c
from memoracle.reproducers.actions import FAILS, OTHER_COURSE, PASSES
from memoracle.reproducers.failing_run import FailingRun, ReproducerError
from memoracle.reproducers.helpers import KERNEL, KERNEL_MEMORY, used_of
from memoracle.reproducers.program import Program
from memoracle.reproducers.words import head, remarks

ENDS = {
    FAILS: 'KUNIT_FAIL(test, "%s", {words});\n        return;',
    OTHER_COURSE: 'kunit_skip(test, "%s", {words});',
    PASSES: "return;",
}
# The kernel is built without a compiler's own division of 128 bits.
NUMBERS = """\
typedef __int128 number; /* holds every address, and what is computed of one, with its sign */

static inline number floor_div(number a, number b)
{
    u64 size = a < 0 ? -a : a, by = b < 0 ? -b : b, left;
    u64 whole = div64_u64_rem(size, by, &left);

    return (a < 0) == (b < 0) ? (number)whole : -(number)whole - (left != 0);
}

static inline number floor_mod(number a, number b)
{
    return a - b * floor_div(a, b);
}
"""
TEXT = """\
// SPDX-License-Identifier: GPL-2.0
{head}
#include <kunit/test.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/types.h>
#include <linux/vmalloc.h>

{declarations}

{numbers}
static void memoracle_reproducer(struct kunit *test)
{{
{body}
}}

static struct kunit_case memoracle_cases[] = {{ KUNIT_CASE(memoracle_reproducer), {{}} }};

static struct kunit_suite memoracle_suite = {{ .name = "memoracle", .test_cases = memoracle_cases }};

kunit_test_suite(memoracle_suite);

MODULE_LICENSE("GPL");
"""


def text(program: Program, run: FailingRun) -> str:
    if any(step.errno is not None for step in program.calls):
        raise ReproducerError("a kernel has no errno")
    helpers = used_of(KERNEL, program.used, None if program.memory is None else KERNEL_MEMORY)
    how = ["Build it as a module of a kernel that has these functions, with CONFIG_KUNIT and 64-bit addresses."]
    return TEXT.format(
        head="\n".join(remarks(head(run, how))),
        declarations=program.binding.says.declarations.strip(),
        numbers=f"{NUMBERS}\n{helpers}",
        body=c.body(program, ENDS),
    )
