"""Recordings that diverge, and what led to that, for tests of timelines."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from small_geometry import SMALL

from memoracle.commands import check
from memoracle.commands.check_inputs import Check
from memoracle.report.check_report import TraceResult
from memoracle.timeline.past import Past
from memoracle.timeline.timeline import Timeline
from memoracle.timeline.views import View, frames_in

Event = dict[str, Any]
PAGE = 1 << 21


def checked(path: Path | str, *options: str) -> tuple[list[TraceResult], Past]:
    parser = argparse.ArgumentParser()
    check.add_parser(parser.add_subparsers())
    found = Check(parser.parse_args(["check", "--quiet", *options, str(path)]))
    found.keeps = True
    return found.outcomes(), Past(found.watched, spools=found.spools)


def written(folder: Path, events: Sequence[Event], **geometry: Any) -> Path:
    path = folder / "trace.jsonl"
    lines = [{"memoracle": 1, "geometry": SMALL | geometry}, *events]
    path.write_text("".join(f"{json.dumps(each)}\n" for each in lines), encoding="utf-8")
    return path


def led_to(path: Path, *options: str) -> list[Timeline]:
    outcomes, past = checked(path, *options)
    found, why = past.timelines(outcomes[-1])
    assert why == ""
    return found


def allocate(frame: int, **more: Any) -> Event:
    return {"op": "frame.allocate", "result": frame * PAGE} | more


def free(frame: int, **more: Any) -> Event:
    return {"op": "frame.free", "address": frame * PAGE} | more


def state_of(view: View, frame: int) -> str:
    return dict(frames_in(view))[frame]
