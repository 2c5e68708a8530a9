"""A badge of what `prove` came to: an SVG, or the JSON from which shields.io draws one. Nothing is fetched."""

from __future__ import annotations

import argparse
import html
import json
from collections.abc import Sequence
from pathlib import Path

from memoracle.console.exit_status import Status
from memoracle.console.options import named
from memoracle.console.output import goes_where, refuse_to_overwrite, write_file
from memoracle.report.proof_report import PROVED, ProofRun, totals, verdict
from memoracle.trace.inputs import InputError

# Named as shields.io names them, and for our own, on which white letters have a contrast of 4.5:1 at the least.
GREEN, RED, GREY = ("brightgreen", "#2e7d32"), ("red", "#c62828"), ("lightgrey", "#5f5f5f")
WIDTH = 6.6  # pixels of a letter, on average
DRAWN = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{label}: {message}">
  <title>{label}: {message}</title>
  <rect width="{width}" height="20" rx="3" fill="#4a4a4a"/>
  <path d="M{left} 0h{square}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{square}z" fill="{colour}"/>
  <g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">
    <text x="{label_middle}" y="14" textLength="{label_width}">{label}</text>
    <text x="{message_middle}" y="14" textLength="{message_width}">{message}</text>
  </g>
</svg>
"""


def add_badge_option(parser: argparse.ArgumentParser) -> None:
    """Adds --badge, read as `badge`."""
    words = "write a badge of the verdict: an SVG to FILE.svg, or to FILE.json what shields.io draws one from"
    parser.add_argument("--badge", metavar="FILE", type=named, help=words)


def refuse_badge(args: argparse.Namespace) -> None:
    """Raises InputError for a file of another kind, OutputError where it cannot be written."""
    if args.badge is None:
        return
    if Path(args.badge).suffix not in (".svg", ".json"):
        raise InputError("--badge", None, f"{args.badge}: FILE.svg or FILE.json was expected")
    for each, words in ((args.output, "the report"), (args.emit_output, "the test of --emit-output")):
        if goes_where(args.badge, each):
            raise InputError("--badge", None, f"{words} goes there")
    refuse_to_overwrite(args.badge, [each for each in [args.geometry] if each is not None])


def write_badge(args: argparse.Namespace, run: ProofRun) -> None:
    """Writes it, if it is wanted; raises OutputError."""
    if args.badge is not None:
        write_file(args.badge, drawn(run, args.component, args.badge.endswith(".svg")))


def drawn(run: ProofRun, components: Sequence[str], as_svg: bool) -> str:
    """components: those that were named, or none if all were proved."""
    label = "memoracle" + (f": {', '.join(components)}" if components else "")
    message, (name, colour) = said(run)
    if not as_svg:
        return json.dumps({"schemaVersion": 1, "label": label, "message": message, "color": name}) + "\n"
    label_width, message_width = (round(len(each) * WIDTH) for each in (label, message))
    left = label_width + 12
    return DRAWN.format(
        width=left + message_width + 12,
        left=left,
        square=message_width + 9,
        colour=colour,
        label=html.escape(label),
        message=html.escape(message),
        label_width=label_width,
        message_width=message_width,
        label_middle=left / 2,
        message_middle=left + message_width / 2 + 6,
    )


def said(run: ProofRun) -> tuple[str, tuple[str, str]]:
    """How many have the gravest verdict that any has; red where something was refuted, green where all is well."""
    found = verdict(run.results)
    for part in run.parts if found == PROVED else ():
        if part.status is not Status.HOLDS:
            return f"proved; {part.key.replace('_', '-')} failed", RED
    if found not in totals(run.results):
        return "nothing proved", GREY
    colour = {PROVED: GREEN, "refuted": RED}.get(found, GREY)
    return f"{totals(run.results)[found]:,} {found}", colour
