"""The formats of a report. A new one is a module of this folder, and a line in a table here."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TextIO

from memoracle.console.options import JSON, TEXT
from memoracle.console.output import write_document
from memoracle.report.run import FaultRun, Run

GITHUB = "github"  # it adds to the summary of a step, too

# By name, the module that writes a report of that format, which is imported where one is wanted.
# One file, for CI, which shows a run that came to nothing, too: `write(run: Run | FaultRun, out: TextIO) -> None`.
FOR_CI = {
    "junit": "memoracle.report.ci.junit",
    "sarif": "memoracle.report.ci.sarif",
    GITHUB: "memoracle.report.ci.github",
}
# One file: `write(run: Run, out: TextIO) -> None`.
FILES = {**FOR_CI, "itf": "memoracle.report.itf"}
# A folder: `pages(run: Run) -> Mapping[str, str]`, the text of each file by its name in the folder.
FOLDERS: dict[str, str] = {"html": "memoracle.report.html.pages"}

IN_ONE_FILE = (TEXT, JSON, *FILES)
FORMATS = (*IN_ONE_FILE, *FOLDERS)


def write(form: str, run: Run | FaultRun, out: TextIO) -> None:
    """Writes a report of one file; of a run that came to nothing only those for CI."""
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


def pages(form: str, run: Run) -> Mapping[str, str]:
    """The files of a report that is a folder, by their names in it."""
    found: Mapping[str, str] = import_module(FOLDERS[form]).pages(run)
    return found
