"""The formats of a report. A new one is a module of this folder, and a line in a table here."""

from __future__ import annotations

from importlib import import_module
from typing import TextIO

from memoracle.console.options import JSON, TEXT
from memoracle.console.output import write_document
from memoracle.report.run import FaultRun, Run

GITHUB = "github"  # it adds to the summary of a step, too

# By name, the module that writes a report of that format, which is imported where one is wanted.
# For CI, which shows a run that came to nothing, too: `write(run: Run | FaultRun, out: TextIO) -> None`.
FOR_CI = {
    "junit": "memoracle.report.ci.junit",
    "sarif": "memoracle.report.ci.sarif",
    GITHUB: "memoracle.report.ci.github",
}
HTML = "html"  # for a browser, which needs nothing besides
# Of a run that came to something: `write(run: Run, out: TextIO) -> None`.
FILES = {**FOR_CI, "itf": "memoracle.report.itf", HTML: "memoracle.report.html.pages"}
# Those for which --report names a folder: the name of the file there.
FOLDERS = {HTML: "index.html"}
DRAWN = ("itf", HTML)  # those that have what led to a failure, step by step

FORMATS = (TEXT, JSON, *FILES)


def write(form: str, run: Run | FaultRun, out: TextIO) -> None:
    """Writes a report; of a run that came to nothing only those for CI."""
    if form in FOR_CI:
        import_module(FOR_CI[form]).write(run, out)
    elif isinstance(run, FaultRun):
        return
    elif form in FILES:
        import_module(FILES[form]).write(run, out)
    elif form == TEXT:
        run.write_text(out)
    else:
        write_document(run.document(), out)
