"""GitHub's workflow commands, which a runner shows as annotations of a file's line, and the summary of a job's step.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands says how they are written.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TextIO

from memoracle.report.ci.cases import PROVE, Place, Problem
from memoracle.report.ci.files import inside, is_named
from memoracle.report.ci.findings import findings_of
from memoracle.report.ci.step_summary import add_summary
from memoracle.report.run import FaultRun, Run
from memoracle.trace.files import is_file
from memoracle.trace.quoting import MOST_KEPT, escaped, shortened, without_line_commands

MOST = 50  # annotations; a runner shows 10 errors of a step, and 50 of a job
MOST_CHARACTERS = 4000  # of one
SUMMARY = "GITHUB_STEP_SUMMARY"  # the variable that names the file of a step's summary


def write(run: Run | FaultRun, out: TextIO) -> None:
    """Writes a command for each problem and each warning, and the verdict; adds to the step's summary."""
    found = findings_of(run)
    for problem in found.problems[:MOST]:
        out.write(annotation(problem))
    if (more := len(found.problems) - MOST) > 0:
        out.write(command("error", {"title": f"memoracle {found.command}"}, f"and {more:,} more"))
    for warning in found.warnings[:MOST]:
        out.write(warned(warning, f"memoracle {found.command}"))
    if (more := len(found.warnings) - MOST) > 0:
        out.write(command("warning", {"title": f"memoracle {found.command}"}, f"and {more:,} more"))
    said = [found.said] if found.command == PROVE else [case.said for case in found.cases]
    out.writelines(without_line_commands(f"{escaped(each)}\n") for each in said)
    if path := os.environ.get(SUMMARY):
        add_summary(path, found)


def annotation(problem: Problem) -> str:
    """One error, at its place."""
    lines = [problem.seen, *([f"legal: {problem.legal}"] if problem.legal else [])]
    lines += shortened(problem.detail, MOST_KEPT).splitlines()
    place, properties = problem.place, at(problem.place)
    if not properties and place.file is not None:
        lines[0] = f"{place.where}: {lines[0]}"
    properties["title"] = f"{problem.rule.says} [{problem.rule.name}]"
    return command("error", properties, "\n".join(map(escaped, lines)))


def warned(warning: Place, title: str) -> str:
    """A warning, at its place if it has one."""
    properties = at(warning)
    return command("warning", {**properties, "title": title}, escaped(warning.says if properties else warning.told))


def at(place: Place) -> dict[str, str]:
    """What puts a command at a line; nothing where the checkout has no such file."""
    file = None if place.file is None or not is_named(place.file) else inside(place.file)
    if file is None or (place.of_package and not is_file(file)):
        return {}
    return {"file": Path(file).as_posix(), **({} if place.line is None else {"line": str(place.line)})}


def command(name: str, properties: dict[str, str], message: str) -> str:
    """A workflow command, in a line of its own."""
    said = ",".join(f"{key}={of_property(escaped(value))}" for key, value in properties.items())
    return f"::{name} {said}::{of_message(shortened(message, MOST_CHARACTERS))}\n"


def of_message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def of_property(text: str) -> str:
    return of_message(text).replace(":", "%3A").replace(",", "%2C")
