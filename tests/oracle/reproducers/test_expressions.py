"""An expression of a binding means in C and in Rust what it means in Python."""

from __future__ import annotations

import ast
import shutil
import subprocess
from pathlib import Path

import pytest

from memoracle.reproducers import c, rust
from memoracle.reproducers.expressions import CWriting, RustWriting, bare
from memoracle.reproducers.failing_run import ReproducerError
from memoracle.reproducers.signatures import Declared

EXPRESSIONS = [
    "a // b",
    "a % b",
    "-a // b + a % -b",
    "a + b * 4096 - 1",
    "(a - b) // 4096 % 7",
    "a << 3 | b & 255 ^ 5",
    "a >> 2",
    "~a & 0xffffffffffffffff",
    "a - 0xffff800000000000",
    "a * 0x7fffffff + 0x80000000",
    "a == b",
    "a < b <= a + 10 != 3",
    "not a",
    "not a == b",
    "(a > b) + (a < b) * 2",
    "a if a > b else b",
    "(a if b else -a) * 3",
    "a and b",
    "a or b",
    "a or b and 7",
    "1 if a and not b or a == -7 else 0",
    "+a - -b",
]
VALUES = [(7, 2), (-7, 2), (7, -2), (-7, -2), (0, 5), (5, 1), (0xFFFFFFFF00001000, 4096), (1 << 40, 3)]


def due() -> list[int]:
    return [int(eval(each, {"a": a, "b": b})) for each in EXPRESSIONS for a, b in VALUES]


def parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def test_c(tmp_path: Path) -> None:
    writing = CWriting(Declared())
    tests = "\n".join(
        f"number t{n}(number a, number b) {{ return {writing.number(parsed(each))}; }}"
        for n, each in enumerate(EXPRESSIONS)
    )
    lists = ", ".join(f"t{n}" for n in range(len(EXPRESSIONS)))
    values = ", ".join(f"{{{writing.literal(a)}, {writing.literal(b)}}}" for a, b in VALUES)
    source = f"""
#include <stdint.h>
#include <stdio.h>
{c.NUMBERS}
{tests}
int main(void)
{{
    number (*tests[])(number, number) = {{{lists}}}, values[][2] = {{{values}}};
    for (int test = 0; test < {len(EXPRESSIONS)}; test++)
        for (int at = 0; at < {len(VALUES)}; at++) {{
            number found = tests[test](values[at][0], values[at][1]);
            printf("%lld %llu\\n", (long long)(found >> 64), (unsigned long long)found);
        }}
}}
"""
    (tmp_path / "tests.c").write_text(source)
    subprocess.run(["cc", "-Wall", "-Werror", tmp_path / "tests.c", "-o", tmp_path / "tests"], check=True)
    lines = subprocess.run([tmp_path / "tests"], capture_output=True, check=True, text=True).stdout.splitlines()
    assert [(int(high) << 64) + int(low) for high, low in map(str.split, lines)] == due()


@pytest.mark.skipif(shutil.which("rustc") is None, reason="there is no Rust compiler")
def test_rust(tmp_path: Path) -> None:
    writing = RustWriting(Declared())
    values = ", ".join(f"({writing.literal(a)}, {writing.literal(b)})" for a, b in VALUES)
    printed = "\n".join(
        f'    for (a, b) in VALUES {{ println!("{{}}", {bare(writing.number(parsed(each)))} as Number); }}'
        for each in EXPRESSIONS
    )
    source = f"""
#![allow(unused_parens)]
{rust.NUMBERS}
const VALUES: [(Number, Number); {len(VALUES)}] = [{values}];
fn main() {{
{printed}
}}
"""
    (tmp_path / "tests.rs").write_text(source)
    subprocess.run(["rustc", "-C", "debuginfo=0", tmp_path / "tests.rs", "-o", tmp_path / "tests"], check=True)
    lines = subprocess.run([tmp_path / "tests"], capture_output=True, check=True, text=True).stdout.split()
    assert [int(each) for each in lines] == due()


@pytest.mark.parametrize("text", ["a < f() < b", "f() and a"])
def test_a_call_that_would_be_made_twice_is_refused(text: str) -> None:
    with pytest.raises(ReproducerError, match="a call"):
        CWriting(Declared()).number(parsed(text))
