"""What failed, in the Informal Trace Format, which Apalache, Quint and their viewers read.

The format: https://apalache-mc.org/docs/adr/015adr-trace.html. It has no null; each whole number is a #bigint.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO, TypeAlias

from memoracle.console.output import write_document
from memoracle.diagnostics.divergence import Finding
from memoracle.report.check_report import CheckRun, told
from memoracle.report.drive_report import DriveRun
from memoracle.report.proof_report import ProofRun
from memoracle.report.run import Run
from memoracle.timeline.course import OF_LOG
from memoracle.timeline.timeline import Timeline
from memoracle.timeline.views import UNSEEN, View, frames_in

FORMAT = "https://apalache-mc.org/docs/adr/015adr-trace.html"
Value: TypeAlias = Any  # as JSON has it
State: TypeAlias = dict[str, Value]


def write(run: Run, out: TextIO) -> None:
    """Writes the first failure of a run, of which a file has one; a run in which nothing failed has no states."""
    states, meta = states_of(run)
    variables = [name for name in states[0] if name != "#meta"] if states else []
    said = {"format": "ITF", "format-description": FORMAT, "source": "memoracle", **meta}
    write_document({"#meta": said, "vars": variables, "states": list(numbered(states))}, out)


def numbered(states: Sequence[State]) -> Iterator[State]:
    for index, state in enumerate(states):
        yield {"#meta": {"index": index, **state.get("#meta", {})}, **{k: v for k, v in state.items() if k != "#meta"}}


def states_of(run: Run) -> tuple[list[State], dict[str, Any]]:
    """The states of the first failure, and what is said of it."""
    document = run.document()
    meta = {"status": document["verdict"], "description": f"memoracle {run.command}"}
    if isinstance(run, CheckRun | DriveRun):
        outcomes = run.outcomes if isinstance(run, CheckRun) else [run.result]
        failed = next((each for each in outcomes if each.divergences), None)
        if failed is None:
            return [], meta
        divergence = failed.divergences[0]
        meta |= of_finding(divergence.finding) | {"source": divergence.file, "line": divergence.line}
        led, _ = run.past.timelines(failed)
        if led and led[0].divergence is divergence:
            return states_of_timeline(led[0]), meta
        return states_of_finding(told(divergence.event), divergence.finding), meta
    if isinstance(run, ProofRun):
        timeline = next(iter(run.steps().values()), None)
        if timeline is None:
            return [], meta
        return states_of_timeline(timeline), meta | of_finding(timeline.divergence.finding)
    found = document["divergences"]
    if not found:
        return [], meta
    state = {"mappings": encoded(document["mappings"]), "divergences": encoded(found)}
    return [state], meta | {"clause": found[0]["clause"], "message": found[0]["message"]}


def of_finding(finding: Finding) -> dict[str, str]:
    return {"clause": finding.clause, "says": finding.says, "message": finding.message, "legal": finding.legal}


def states_of_finding(event: str, finding: Finding) -> list[State]:
    """The state around an event of which it is not known what led to it: before, and after it."""
    return [
        {"action": "", "diverges": False, "state": encoded(finding.before)},
        {"action": event, "diverges": True, "state": encoded(finding.after)},
    ]


def states_of_timeline(timeline: Timeline) -> list[State]:
    """The state before the first step, and after each; where steps are left out, that before the next one, too."""
    found, last = list[State](), len(timeline.steps) - 1
    variables = of_log if timeline.kind == OF_LOG else of_machine

    def add(action: str, line: int, diverges: bool, view: View, left_out: int) -> None:
        meta = {"#meta": {"description": f"{left_out} events left out"}} if left_out else {}
        said = {"action": action, "line": encoded(line), "diverges": diverges}
        found.append({**meta, **said, **variables(view)})

    for place, step in enumerate(timeline.steps):
        if not found or step.passed_over:
            add("", 0, False, step.whole[0], step.passed_over)
        add(told(step.event), step.line, place == last, step.whole[1], 0)
    return found


def of_log(view: View) -> State:
    """What is drawn of the pages and objects that a log tells of, as variables."""
    slabs = view.get("slabs", ())
    objects = [(slab["hash"], slab) for slab in slabs if "hash" in slab]
    objects += [(piece["address"], piece) for slab in slabs for piece in slab.get("pieces", ())]
    return {
        "pages": mapping((encoded(page), state) for page, state in frames_in(view)),
        "objects": mapping((name, each["state"]) for name, each in objects if each["state"] != UNSEEN),
    }


def of_machine(view: View) -> State:
    """What is drawn of a state, as variables: each state has all of them."""
    tables = [table for table in view.get("tables", ()) if "process" in table]
    return {
        "free_frames": encoded(view.get("frames", {}).get("free", 0)),
        "frames": mapping((encoded(frame), state) for frame, state in frames_in(view)),
        "blocks": mapping(
            (pair(area["process"], piece["page"]), encoded({key: piece[key] for key in ("pages", "state", "address")}))
            for area in view.get("ranges", ())
            for piece in area["pieces"]
        ),
        "processes": {"#set": [encoded(table["process"]) for table in tables]},
        "entries": mapping(
            (pair(table["process"], int(index)), value) for table in tables for index, value in table["entries"].items()
        ),
        "mapped": mapping(
            (pair(each["process"], each["page"]), each["shows"])
            for each in view.get("mapped", ())
            if each["shows"] is not None
        ),
        "heap": mapping((each["address"], encoded(each["bytes"])) for each in view.get("heap", ())),
    }


def pair(*values: Value) -> Value:
    return {"#tup": [encoded(each) for each in values]}


def mapping(pairs: Iterable[tuple[Value, Value]]) -> Value:
    """pairs: of keys and values that are as the format has them."""
    return {"#map": [list(each) for each in pairs]}


def encoded(value: object) -> Value:
    """A JSON value as the format has it; what is null is left out of records and lists."""
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return {"#bigint": str(value)}
    if isinstance(value, Mapping):
        return {str(key): encoded(each) for key, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        return [encoded(each) for each in value if each is not None]
    return str(value)
