"""The formats of a report. A new one is a module of this folder, and a line in a table here."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TextIO

from memoracle.console.options import JSON, TEXT
from memoracle.console.output import write_document
from memoracle.report.run import Run

# By name, the module that writes a report of that format, which is imported where one is wanted.
# One file: `write(run: Run, out: TextIO) -> None`.
FILES: dict[str, str] = {"itf": "memoracle.report.itf"}
# A folder: `pages(run: Run) -> Mapping[str, str]`, the text of each file by its name in the folder.
FOLDERS: dict[str, str] = {"html": "memoracle.report.html.pages"}

IN_ONE_FILE = (TEXT, JSON, *FILES)
FORMATS = (*IN_ONE_FILE, *FOLDERS)


def write(form: str, run: Run, out: TextIO) -> None:
    """Writes a report of one file."""
    if form == TEXT:
        run.write_text(out)
    elif form == JSON:
        write_document(run.document(), out)
    else:
        import_module(FILES[form]).write(run, out)


def pages(form: str, run: Run) -> Mapping[str, str]:
    """The files of a report that is a folder, by their names in it."""
    found: Mapping[str, str] = import_module(FOLDERS[form]).pages(run)
    return found
