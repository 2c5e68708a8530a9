"""What a snapshot showed, as a page: what breaks a rule, and the top-level tables of the address spaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from memoracle.console.counted import counted
from memoracle.impl import pte
from memoracle.report.html.page import page, warnings_data
from memoracle.report.html.timeline_data import Interned, rule_data
from memoracle.report.snapshot_report import MOST_DRAWN, SnapshotResult, SpaceRow, account, letters, told, type_of
from memoracle.snapshot.findings import Rule
from memoracle.spec.kernel_half import ENTRIES, FIRST

MOST_FINDINGS, MOST_SPACES, MOST_SAID = 50, 8, 8
SHIFT = 39  # a PML4 entry maps 2^39 bytes: Intel SDM volume 3, 4.5


def snapshot_page(result: SnapshotResult) -> str:
    findings, spaces = result.findings.kept, result.spaces
    left, more = result.findings.total - MOST_FINDINGS, len(spaces) - MOST_SPACES
    by_mappings = any(each.entries is None for each in spaces)
    said = "Of each entry is drawn whether something is mapped through it." if by_mappings else "Each entry is drawn."
    ranges = counted(len(result.mappings), "range")
    first = f"; the first {MOST_DRAWN} of them" if len(result.mappings) > MOST_DRAWN else ""
    shown = [
        {
            "place": told(result.name, each.place),
            "finding": rule_data(
                each.rule.says,
                each.rule.name,
                each.message,
                each.legal,
                each.rule.source if isinstance(each.rule, Rule) else "",
            ),
        }
        for each in findings[:MOST_FINDINGS]
    ]
    content = {
        "command": "snapshot",
        "title": result.name,
        "verdict": result.verdict,
        "summary": account(result),
        "warnings": warnings_data(result.warnings),
        "findings": shown,
        "more_findings": f"{counted(left, 'more divergence')} not shown here." if left > 0 else "",
        "halves_said": said + (f" {counted(more, 'more space')} not drawn." if more > 0 else ""),
        "spaces": [space_data(result, each) for each in spaces[:MOST_SPACES]],
        "mappings_said": f"{ranges}, in the order of the tables{first}.",
        "mappings": [
            {
                "space": each.attributes.space,
                "virtual": f"{each.virtual:#x}",
                "physical": f"{each.physical:#x}" if result.mappings.has_frames else "",
                "bytes": f"{each.bytes:#x}",
                "letters": letters(each),
                "type": type_of(each),
            }
            for each in islice(result.mappings, MOST_DRAWN)
        ],
        "timelines": [findings_data(result, shown)] if shown else [],
    }
    return page("snapshot.html", content)


def findings_data(result: SnapshotResult, shown: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The findings as steps: beside each the top-level table of its space, and that of the first space."""
    parts, steps = Interned(), list[dict[str, Any]]()
    spaces = {each.space: each for each in result.spaces}
    first = result.spaces[0]
    states: list[dict[str, int]] = []
    for finding, told_of_it in zip(result.findings.kept, shown, strict=False):
        index = finding.place.virtual >> SHIFT & ENTRIES - 1
        for space in (first, spaces[finding.place.space]):
            states.append({"tables": parts.place([table_data(result, space, index)])})
        steps.append(
            {
                "place": told_of_it["place"],
                "event": told_of_it["finding"]["message"],
                "finding": told_of_it["finding"],
                "passed_over": "",
                "before": len(states) - 2,
                "after": len(states) - 1,
                "left_out": 0,
                "names": {"frames": [], "pages": [], "entries": [[0, index]]},
            }
        )
    words = {"before": f"Space {first.space}", "after": "The space of the finding", "then": "and here"}
    said = {"same": "The entries that are drawn are alike: what is wrong lies below them.", "end": "", "last": ""}
    said |= {"lead": "", "call": "finding", "step": "Finding", "steps": "findings"}
    return {
        "page_size": pte.TABLE,
        "steps": steps,
        "states": states,
        "parts": parts.values,
        "finding": steps[0]["finding"],
        "words": words | said,
    }


def table_data(result: SnapshotResult, space: SpaceRow, index: int) -> dict[str, Any]:
    """The upper half of a top-level table, and the entry that a finding is about."""
    entries = entries_of(result, space)
    drawn = {
        str(each): entries.get(each, "0x0")
        for each in range(ENTRIES)
        if each == index or (each >= FIRST and each in entries)
    }
    return {"process": 0, "name": f"the table of space {space.space}", "in_part": True, "entries": drawn}


def space_data(result: SnapshotResult, space: SpaceRow) -> dict[str, Any]:
    """One space; its entries are compared with those of the first."""
    name = (space.source or "") if space.cr3 is None else f"CR3 {space.cr3:#x}"
    entries, first = entries_of(result, space), entries_of(result, result.spaces[0])
    named = {
        each.place.virtual >> SHIFT & ENTRIES - 1 for each in result.findings.kept if each.place.space == space.space
    }
    differ = {index for index in range(FIRST, ENTRIES) if (entries.get(index, "0x0") != first.get(index, "0x0"))}
    return {
        "number": space.space,
        "name": name,
        "halves": [
            half_data("lower half", 0, entries, named),
            half_data("upper half, the kernel's", FIRST, entries, named | differ),
        ],
    }


def half_data(name: str, first: int, entries: dict[int, str], marked: set[int]) -> dict[str, Any]:
    places = range(first, first + FIRST)
    told = [f"{index}: {entries.get(index, '0x0')}" for index in places if index in entries or index in marked]
    says = "; ".join(told[:MOST_SAID]) + (f"; and {len(told) - MOST_SAID:,} more" if len(told) > MOST_SAID else "")
    return {
        "name": name,
        "says": says or "all entries are 0",
        "entries": [
            {
                "kind": " ".join(
                    kind for kind, holds in (("is-used", index in entries), ("changed", index in marked)) if holds
                ),
                "says": f"entry {index}: {entries[index]}" if index in entries else "",
            }
            for index in places
        ],
    }


def entries_of(result: SnapshotResult, space: SpaceRow) -> dict[int, str]:
    """The entries that are not 0, by index; of a text those by which something is mapped."""
    if space.entries is not None:
        return {index: f"{value:#x}" for index, value in enumerate(space.entries) if value}
    return dict.fromkeys(mapped_by(result, space), "in use")


def mapped_by(result: SnapshotResult, space: SpaceRow) -> Iterator[int]:
    for each in result.mappings:
        if each.attributes.space == space.space:
            last = each.virtual + each.bytes - 1
            yield from (index & ENTRIES - 1 for index in range(each.virtual >> SHIFT, (last >> SHIFT) + 1))
