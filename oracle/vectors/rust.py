"""Vectors as a file in Rust: tests that call functions with C's calling convention, which whoever tests defines."""

from __future__ import annotations

from pathlib import Path

from memoracle.drive.binding import Binding
from memoracle.reproducers.c import linked as linked_with
from memoracle.reproducers.words import harmless
from memoracle.vectors.bound import in_rust
from memoracle.vectors.c import MOVES, geometry_lines
from memoracle.vectors.numbered import RECORDS, Function, Numbered, Row, numbered
from memoracle.vectors.vector import Vectors

HEAD = """//! What the law of {component} requires of a memory manager: memoracle {version}, law {digest}.
//!
//! {how}
{geometry}
//!
//! Use it as a file of `tests/`, or alone: `rustc --edition 2021 --test THIS_FILE {linked}`. With MEMORACLE_LEVEL=exact
//! in the environment what is tested must choose what the reference chooses.
#![allow(unused, non_upper_case_globals, static_mut_refs)]

use std::collections::BTreeSet;
use std::sync::Mutex;

{functions}

const UNIT: u64 = {unit};
const NONE: usize = usize::MAX;

struct Function {{
    operation: &'static str,
    results: usize,
    moves: u8, // 1: hands out from its answer on.  2: from its first argument on.  3: takes back from there on.
}}

/// requires, exactly: 1: it must succeed.  2: it must be refused.  0: what is chosen before decides.
/// arguments: numbers, each with the step whose answer is added, or NONE.  legal: where the answers begin of which one
/// is due, and how many there are.  reference: where that of the reference begins, or NONE.
/// released: where pairs begin of a step and the bytes of its that are given back before, and how many.
/// gives: whether the answer is a new number.  within: the first and the last byte that it may have;
/// alignment: divides it.
struct Step {{
    function: usize,
    requires: u8,
    exactly: u8,
    legal: (usize, usize),
    reference: usize,
    bytes: u64,
    released: (usize, usize),
    gives: bool,
    within: (u64, u64),
    alignment: u64,
    clauses: &'static str,
    arguments: &'static [(u64, usize)],
}}

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

"""
HOW = """Define the functions declared below for what is to be tested: `#[no_mangle] pub extern "C" fn`, or in C. Each
//! returns 0 when it succeeds and stores its answer at `result`, or another number when it refuses. Truths are 0 or 1,
//! memory types their numbers in IA32_PAT. `memoracle_start` brings what is tested to its initial state:"""
HOW_BOUND = "The library is called as {path} says. What it is of:"
RUNNER = """
fn pages(first: u64, bytes: u64) -> BTreeSet<u64> {
    (0..bytes.div_ceil(UNIT)).map(|unit| first + unit * UNIT).collect()
}

/// What is wrong with a step.
fn check(step: &Step, exact: bool, given: &[u64], live: &mut BTreeSet<u64>) -> Result<u64, String> {
    let function = &FUNCTIONS[step.function];
    let value = |&(value, of): &(u64, usize)| value + if of == NONE { 0 } else { given[of] };
    let arguments: Vec<u64> = step.arguments.iter().map(value).collect();
    let mut result = [0u64; 8];
    let refused = unsafe { call(step.function, &arguments, &mut result) } != 0;
    let due = if exact { step.exactly } else { step.requires };
    if refused != (due == 2) {
        let must = if refused { "succeed" } else { "be refused" };
        return Err(format!("{arguments:x?}: it must {must}"));
    }
    if refused {
        return Ok(0);
    }
    let (answer, width) = (&result[..function.results], function.results);
    if exact && step.reference != NONE {
        if *answer != ANSWERS[step.reference..step.reference + width] {
            return Err(format!("{arguments:x?}: {answer:x?}, but the reference answers otherwise"));
        }
    } else if step.legal.1 > 0 {
        let (first, count) = step.legal;
        if !ANSWERS[first..first + count * width].chunks(width).any(|legal| legal == answer) {
            return Err(format!("{arguments:x?}: {answer:x?} is no legal answer"));
        }
    }
    let (lowest, highest) = step.within;
    let value = result[(width == 2) as usize]; // before it may stand whether there is one
    let is_one = width == 1 || width == 2;
    if is_one && (value < lowest || value > highest || highest - value < step.bytes.saturating_sub(1)) {
        return Err(format!("{value:#x} does not lie where it may"));
    }
    if is_one && value % step.alignment != 0 {
        return Err(format!("{value:#x} is no multiple of {}", step.alignment));
    }
    for each in 0..step.released.1 {
        let (of, bytes) = (ANSWERS[step.released.0 + 2 * each], ANSWERS[step.released.0 + 2 * each + 1]);
        let released = pages(given[of as usize], bytes);
        live.retain(|page| !released.contains(page));
    }
    if step.gives && (result[0] == 0 || !live.insert(result[0])) {
        return Err(format!("{:#x} is there already", result[0]));
    }
    let first = if function.moves == 1 { value } else { arguments.first().copied().unwrap_or(0) };
    let moved = pages(first, if function.moves == 3 { step.bytes.max(1) } else { step.bytes });
    match function.moves {
        1 | 2 if !live.is_disjoint(&moved) => return Err(format!("{first:#x} overlaps what is in use")),
        1 | 2 => live.extend(moved),
        3 => live.retain(|page| !moved.contains(page)),
        _ => {}
    }
    Ok(value)
}

/// What is wrong with a vector.
fn held(name: &str, steps: &[Step]) -> Result<(), String> {
    let exact = std::env::var("MEMORACLE_LEVEL").is_ok_and(|level| level == "exact");
    let (mut given, mut live) = (vec![0; steps.len()], BTreeSet::new());
    unsafe { memoracle_start() };
    for (place, step) in steps.iter().enumerate() {
        if !exact && step.requires == 0 {
            continue;
        }
        match check(step, exact, &given, &mut live) {
            Ok(answer) => given[place] = answer,
            Err(why) => {
                let operation = FUNCTIONS[step.function].operation;
                return Err(format!("{name}, step {place}, {operation} {why} [{}]", step.clauses));
            }
        }
    }
    Ok(())
}
"""
RUN = """
fn run(name: &str, steps: &[Step]) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Err(why) = held(name, steps) {
        panic!("{}", why)
    }
}
"""
RUN_APART = """
/// In a process of its own, since what is tested may start only once, or die.
fn run(name: &str, steps: &[Step]) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut status = 0;
    unsafe {
        let child = fork();
        if child == 0 {
            alarm(10);
            let Err(why) = held(name, steps) else { _exit(0) };
            write(2, why.as_ptr() as *const c_void, why.len());
            write(2, b"\\n".as_ptr() as *const c_void, 1);
            _exit(1);
        }
        waitpid(child, &mut status, 0);
    }
    assert!(status & 127 == 0, "{name}: it died of signal {}", status & 127);
    assert!(status == 0, "{} fails", name);
}
"""

RUST_TYPES = {RECORDS[0]: "*const u64"}  # of arguments that are no numbers


def written(vectors: Vectors, binding: Binding | None = None) -> str:
    """binding: of the library that is called, if it is one. Raises InputError for one that cannot be written."""
    found = numbered(vectors)
    how, linked, run = HOW, "-l static=YOURS", RUN
    declared = "\n".join(f"    {_signature(each)};" for each in found.functions)
    functions = f'extern "C" {{\n    fn memoracle_start();\n{declared}\n}}'
    if binding is not None:
        how, run = HOW_BOUND.format(path=harmless(Path(binding.path).name)), RUN_APART
        linked = harmless(" ".join(f"-C link-arg={each}" for each in linked_with(binding)))
        functions = in_rust(binding, found.functions)
    head = HEAD.format(
        component=vectors.component,
        version=vectors.law["version"],
        digest=vectors.law["digest"],
        geometry=geometry_lines(vectors, "//!     "),
        how=how,
        linked=linked,
        functions=functions,
        unit=vectors.unit,
    )
    parts = [_functions(found), _call(found), _answers(found), RUNNER.strip(), run.strip()]
    parts += [_test(name, rows) for name, rows in found.vectors]
    return head + "\n\n".join(parts) + "\n"


def _signature(function: Function) -> str:
    arguments = [f"{name}: {RUST_TYPES.get(name, 'u64')}" for name in function.arguments]
    arguments += ["result: *mut u64"] if function.results else []
    return f"fn {function.name}({', '.join(arguments)}) -> i32"


def _functions(found: Numbered) -> str:
    rows = [
        f'    Function {{ operation: "{each.operation}", results: {each.results}, '
        f"moves: {MOVES.get(each.operation.partition('.')[2], 0)} }},"
        for each in found.functions
    ]
    return f"static FUNCTIONS: [Function; {len(rows)}] = [\n" + "\n".join(rows) + "\n];"


def _call(found: Numbered) -> str:
    cases = []
    for number, each in enumerate(found.functions):
        given = [
            f"ANSWERS[arguments[{place}] as usize..].as_ptr()" if name == RECORDS[0] else f"arguments[{place}]"
            for place, name in enumerate(each.arguments)
        ]
        given += ["result.as_mut_ptr()"] if each.results else []
        cases.append(f"        {number} => {each.name}({', '.join(given)}),")
    return (
        "#[allow(unused_variables)]\n"
        "unsafe fn call(function: usize, arguments: &[u64], result: &mut [u64; 8]) -> i32 {\n"
        "    match function {\n" + "\n".join(cases) + "\n        _ => 1,\n    }\n}"
    )


def _answers(found: Numbered) -> str:
    lines = [", ".join(map(hex, found.answers[at : at + 6])) for at in range(0, len(found.answers), 6)]
    return f"static ANSWERS: [u64; {len(found.answers)}] = [\n" + "".join(f"    {line},\n" for line in lines) + "];"


def _test(name: str, rows: list[Row]) -> str:
    steps = "".join(f"        {_step(row)},\n" for row in rows)
    begin = f"#[test]\nfn {name}() {{\n    static STEPS: [Step; {len(rows)}] = [\n"
    return f'{begin}{steps}    ];\n    run("{name}", &STEPS);\n}}'


def _step(row: Row) -> str:
    arguments = ", ".join(f"({value:#x}, {'NONE' if of < 0 else of})" for value, of in row.arguments)
    reference = "NONE" if row.reference < 0 else str(row.reference)
    return (
        f"Step {{ function: {row.function}, requires: {row.requires}, exactly: {row.exactly}, "
        f"legal: ({row.legal[0]}, {row.legal[1]}), reference: {reference}, bytes: {row.bytes:#x}, "
        f"released: ({row.released[0]}, {row.released[1]}), gives: {str(row.gives).lower()}, "
        f"within: ({row.within[0]:#x}, {row.within[1]:#x}), "
        f'alignment: {row.alignment}, clauses: "{row.clause}", arguments: &[{arguments}] }}'
    )
