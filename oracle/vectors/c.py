"""Vectors as a file in C, which compiles on its own and calls functions that whoever tests defines."""

from __future__ import annotations

from pathlib import Path

from memoracle.drive.binding import Binding
from memoracle.reproducers.c import linked as linked_with
from memoracle.reproducers.words import harmless
from memoracle.vectors.bound import in_c
from memoracle.vectors.components import MOST_LIVE
from memoracle.vectors.numbered import RECORDS, Function, Numbered, Row, numbered
from memoracle.vectors.vector import Vectors

HEAD = """/* What the law of {component} requires of a memory manager: memoracle {version}, law {digest}.
 *
 * {how}
{geometry}
 *
 *     cc -o vectors THIS_FILE {linked} && ./vectors            # or ./vectors exact
 *
 * With -DMEMORACLE_NO_MAIN there is no main, and nothing of the C library is needed: call
 * memoracle_vectors(exact, say), which returns how many vectors fail, and calls `say` with the name of the vector, the
 * number of the step, the operation, what is wrong, and the clauses of the law that the step is about.
 */
{functions}

typedef void memoracle_say(const char *vector, int step, const char *operation, const char *why, const char *clauses);

struct memoracle_argument {{
    uint64_t value;
    int of; /* the step whose answer is added, or -1 */
}};

struct memoracle_step {{
    int function;
    int requires, exactly; /* 1: it must succeed.  2: it must be refused.  0: what is chosen before decides */
    int legal, legals;     /* the answers of which one is due, if there are any */
    int reference;         /* what the reference answers, or -1 */
    uint64_t bytes;        /* that are handed out or given back */
    int released, releases; /* what is given back before: steps that gave it, each with the bytes */
    int gives;             /* whether the answer is a new number */
    uint64_t first, last;  /* between which the answer lies, to its last byte */
    uint64_t alignment;    /* that divides it */
    const char *clauses;
    struct memoracle_argument arguments[{most_arguments}];
}};

struct memoracle_vector {{
    const char *name;
    const struct memoracle_step *steps;
    int count;
}};

enum {{ UNIT = {unit}, MOST_STEPS = {most_steps}, MOST_LIVE = {most_live} }};

"""
HOW = """\
Define the functions declared below for what is to be tested. Each returns 0 when it succeeds and stores its answer
 * at `result`, or another number when it refuses. Truths are 0 or 1, memory types their numbers in IA32_PAT.
 * memoracle_start() brings it to its initial state:"""
HOW_BOUND = """Each vector calls the library as {path} says, in a process of its own. What it is of:"""
RUNNER = """
static uint64_t memoracle_given[MOST_STEPS], memoracle_live[MOST_LIVE];
static int memoracle_lives;

static int memoracle_find(uint64_t page)
{
    int place = 0;
    while (place < memoracle_lives && memoracle_live[place] != page)
        place++;
    return place;
}

/* Notes what is in use, pages or the numbers of processes; 0 if some of it was already. */
static int memoracle_take(uint64_t first, uint64_t bytes)
{
    for (uint64_t page = first; page < first + bytes; page += UNIT) {
        if (memoracle_find(page) < memoracle_lives || memoracle_lives == MOST_LIVE)
            return 0;
        memoracle_live[memoracle_lives++] = page;
    }
    return 1;
}

static void memoracle_give_back(uint64_t first, uint64_t bytes)
{
    for (uint64_t page = first; page < first + bytes; page += UNIT) {
        int place = memoracle_find(page);
        if (place < memoracle_lives)
            memoracle_live[place] = memoracle_live[--memoracle_lives];
    }
}

static int memoracle_same(const uint64_t *one, const uint64_t *other, int count)
{
    while (count-- > 0)
        if (*one++ != *other++)
            return 0;
    return 1;
}

/* What is wrong with a step, or nothing. */
static const char *memoracle_check(const struct memoracle_step *step, int place, int exact)
{
    uint64_t result[8] = {0}, arguments[8];
    const struct memoracle_function *function = &memoracle_functions[step->function];
    for (int each = 0; each < function->arguments; each++) {
        const struct memoracle_argument *argument = &step->arguments[each];
        arguments[each] = argument->value + (argument->of < 0 ? 0 : memoracle_given[argument->of]);
    }
    int due = exact ? step->exactly : step->requires;
    int refused = memoracle_call(step->function, arguments, result) != 0;
    if (refused != (due == 2))
        return refused ? "it must succeed" : "it must be refused";
    if (refused)
        return 0;
    uint64_t value = result[function->results == 2]; /* before it may stand whether there is one */
    memoracle_given[place] = value;
    for (int each = 0; each < step->releases; each++) {
        const uint64_t *released = &memoracle_answers[step->released + 2 * each];
        memoracle_give_back(memoracle_given[released[0]], released[1]);
    }
    if (exact && step->reference >= 0) {
        if (!memoracle_same(result, &memoracle_answers[step->reference], function->results))
            return "the reference answers otherwise";
    } else if (step->legals) {
        int legal = 0;
        for (int each = 0; each < step->legals; each++)
            legal |= memoracle_same(
                result, &memoracle_answers[step->legal + each * function->results], function->results);
        if (!legal)
            return "this is no legal answer";
    }
    uint64_t beyond = step->bytes - (step->bytes > 0);
    int lies = step->first <= value && value <= step->last && beyond <= step->last - value;
    if (function->results <= 2 && function->results && !lies)
        return "it does not lie where it may";
    if (function->results <= 2 && value % step->alignment)
        return "it is not aligned";
    if (step->gives && (result[0] == 0 || !memoracle_take(result[0], 1)))
        return "there is such a number already";
    if (function->moves == 1 && !memoracle_take(value, step->bytes))
        return "it overlaps what is in use";
    if (function->moves == 2 && !memoracle_take(arguments[0], step->bytes))
        return "it overlaps what is in use";
    if (function->moves == 3)
        memoracle_give_back(arguments[0], step->bytes ? step->bytes : 1);
    return 0;
}

/* 0 if a vector holds. */
static int memoracle_run(const struct memoracle_vector *vector, int exact, memoracle_say *say)
{
    memoracle_start();
    memoracle_lives = 0;
    for (int place = 0; place < vector->count; place++) {
        const struct memoracle_step *step = &vector->steps[place];
        if (!exact && step->requires == 0)
            continue;
        const char *why = memoracle_check(step, place, exact);
        if (why) {
            say(vector->name, place, memoracle_functions[step->function].operation, why, step->clauses);
            return 1;
        }
    }
    return 0;
}

int memoracle_vectors(int exact, memoracle_say *say);
int memoracle_vectors(int exact, memoracle_say *say)
{
    int failed = 0;
    for (int each = 0; each < (int)(sizeof memoracle_all / sizeof memoracle_all[0]); each++)
        failed += memoracle_run(&memoracle_all[each], exact, say);
    return failed;
}

#ifndef MEMORACLE_NO_MAIN
#include <stdio.h>
#include <string.h>

static void memoracle_print(const char *vector, int step, const char *operation, const char *why, const char *clauses)
{
    printf("%s, step %d, %s: %s [%s]\\n", vector, step, operation, why, clauses);
    fflush(stdout);
}

#ifdef MEMORACLE_APART
#include <sys/wait.h>
#include <unistd.h>

/* 0 if a vector holds, run in a process of its own. */
static int memoracle_apart(const struct memoracle_vector *vector, int exact)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        alarm(10);
        _exit(memoracle_run(vector, exact, memoracle_print));
    }
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status))
        printf("%s: it died of signal %d\\n", vector->name, WTERMSIG(status));
    fflush(stdout);
    return status != 0;
}
#endif

int main(int count, char **arguments)
{
    int exact = count > 1 && strcmp(arguments[1], "exact") == 0, failed = 0;
#ifdef MEMORACLE_APART
    for (int each = 0; each < (int)(sizeof memoracle_all / sizeof memoracle_all[0]); each++)
        failed += memoracle_apart(&memoracle_all[each], exact);
#else
    failed = memoracle_vectors(exact, memoracle_print);
#endif
    printf("%d of %d vectors fail\\n", failed, (int)(sizeof memoracle_all / sizeof memoracle_all[0]));
    return failed != 0;
}
#endif
"""
MOVES = {"allocate": 1, "new": 1, "resize": 1, "translate": 1, "reserve": 2, "free": 3, "delete": 3, "exit": 3}

C_TYPES = {RECORDS[0]: "const uint64_t *"}  # of arguments that are no numbers


def written(vectors: Vectors, binding: Binding | None = None) -> str:
    """binding: of the library that is called, if it is one. Raises InputError for one that cannot be written."""
    found = numbered(vectors)
    how, linked, functions = HOW, "YOURS.c", _declared(found)
    if binding is not None:
        how = HOW_BOUND.format(path=harmless(Path(binding.path).name))
        linked = harmless(" ".join(linked_with(binding)))
        functions = f"#define MEMORACLE_APART\n{in_c(binding, found.functions)}"
    head = HEAD.format(
        component=vectors.component,
        version=vectors.law["version"],
        digest=vectors.law["digest"],
        geometry=geometry_lines(vectors, " *     "),
        how=how,
        linked=linked,
        functions=functions,
        most_arguments=max(1, *(len(each.arguments) for each in found.functions)),
        unit=vectors.unit,
        most_steps=max(len(rows) for _, rows in found.vectors),
        most_live=MOST_LIVE,
    )
    tables = [_functions(found), _answers(found), _call(found)]
    tables += [_steps(name, rows) for name, rows in found.vectors]
    tables.append(_all(found))
    return head + "\n\n".join(tables) + "\n" + RUNNER


def _declared(found: Numbered) -> str:
    signatures = "\n".join(f"{_signature(each)};" for each in found.functions)
    return f"#include <stdint.h>\n\nvoid memoracle_start(void);\n{signatures}"


def geometry_lines(vectors: Vectors, before: str) -> str:
    """The geometry as a header has it, a key a line."""
    stated = vectors.stated
    if not isinstance(stated, dict):
        return f"{before}{harmless(str(stated))}"
    return "\n".join(before + harmless(f"{key} = {_said(value)}") for key, value in stated.items())


def _said(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).replace("'", '"')


def _signature(function: Function) -> str:
    arguments = [f"{C_TYPES.get(name, 'uint64_t ')}{name}" for name in function.arguments]
    arguments += ["uint64_t *result"] if function.results else []
    return f"int {function.name}({', '.join(arguments) or 'void'})"


def _functions(found: Numbered) -> str:
    rows = [
        f'    {{"{each.operation}", {len(each.arguments)}, {each.results}, '
        f"{MOVES.get(each.operation.partition('.')[2], 0)}}},"
        for each in found.functions
    ]
    fields = "    const char *operation;\n    int arguments, results, moves;"
    return (
        f"static const struct memoracle_function {{\n{fields}\n}} memoracle_functions[] = {{\n"
        + "\n".join(rows)
        + "\n};"
    )


def _call(found: Numbered) -> str:
    cases = []
    for number, each in enumerate(found.functions):
        given = [
            f"&memoracle_answers[arguments[{place}]]" if name == RECORDS[0] else f"arguments[{place}]"
            for place, name in enumerate(each.arguments)
        ]
        given += ["result"] if each.results else []
        cases.append(f"    case {number}:\n        return {each.name}({', '.join(given)});")
    return (
        "static int memoracle_call(int function, const uint64_t *arguments, uint64_t *result)\n{\n"
        "    (void)arguments;\n    (void)result;\n    switch (function) {\n"
        + "\n".join(cases)
        + "\n    }\n    return 1;\n}"
    )


def _answers(found: Numbered) -> str:
    numbers = [_number(each) for each in found.answers] or ["0"]
    lines = [", ".join(numbers[at : at + 6]) for at in range(0, len(numbers), 6)]
    return "static const uint64_t memoracle_answers[] = {\n" + "".join(f"    {line},\n" for line in lines) + "};"


def _steps(name: str, rows: list[Row]) -> str:
    lines = [
        f"    {{{row.function}, {row.requires}, {row.exactly}, {row.legal[0]}, {row.legal[1]}, {row.reference}, "
        f"{_number(row.bytes)}, {row.released[0]}, {row.released[1]}, {int(row.gives)}, "
        f"{', '.join(map(_number, row.within))}, {_number(row.alignment)}, "
        f'"{row.clause}", '
        f"{{{', '.join(f'{{{_number(value)}, {of}}}' for value, of in row.arguments) or '{0, -1}'}}}}},"
        for row in rows
    ]
    return f"static const struct memoracle_step {name}[] = {{\n" + "\n".join(lines) + "\n};"


def _all(found: Numbered) -> str:
    rows = [f'    {{"{name}", {name}, {len(rows)}}},' for name, rows in found.vectors]
    return "static const struct memoracle_vector memoracle_all[] = {\n" + "\n".join(rows) + "\n};"


def _number(value: int) -> str:
    return f"{value:#x}u" if value < 1 << 32 else f"{value:#x}ull"
