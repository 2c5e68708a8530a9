"""`init --ci`: a job that checks a project's traces, for its CI server."""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path

import msgspec

from memoracle.console.output import OutputError
from memoracle.trace.inputs import InputError

# Where each server looks for its jobs.
PLACES = {"github": ".github/workflows/memoracle.yml", "gitlab": ".gitlab-ci.yml"}
OF_MACHINE = re.compile(r"(?:^|[+@\s])file:")  # `file:///…`, `git+file:///…`, `memoracle @ file:///…`
ELSEWHERE = {"gitlab": "; --output writes the job to another file, which it can include"}


class Vcs(msgspec.Struct):
    """What a package was cloned with, and the commit."""

    vcs: str
    commit_id: str


class Origin(msgspec.Struct):
    """Where pip had a package from that it did not take from an index: https://peps.python.org/pep-0610/."""

    url: str
    vcs_info: Vcs | None = None
    subdirectory: str = ""  # of the repository or archive


def job(server: str, source: str) -> str:
    """The text of a job. source: what it has pip install; raises InputError."""
    if "$" in source or not source.isprintable():  # servers replace variables there
        raise InputError("--from", None, "what pip installs was expected, without variables and control characters")
    text = (Path(__file__).parent / "templates" / f"{server}.yml").read_text(encoding="utf-8")
    return text.replace("{from}", json.dumps(source, ensure_ascii=False))


def installed_from() -> tuple[str, bool]:
    """What pip is to install to have this version, and whether pip had it from there: not from a folder or a wheel,
    which a CI server does not have.
    """
    package = metadata.distribution("memoracle")
    version = f"memoracle=={package.version}"
    text = package.read_text("direct_url.json")
    if text is None:
        return version, True
    origin = msgspec.json.decode(text, type=Origin)
    if origin.url.startswith("file:"):
        return version, False
    vcs, folder = origin.vcs_info, f"#subdirectory={origin.subdirectory}" if origin.subdirectory else ""
    return (f"{vcs.vcs}+{origin.url}@{vcs.commit_id}" if vcs else origin.url) + folder, True


def is_of_machine(source: str) -> bool:
    """Whether pip would look for it on the machine on which it runs, outside of a repository."""
    path = Path(source)
    return OF_MACHINE.search(source) is not None or path.is_absolute() or path.parts[:1] == ("..",)


def checkout_above() -> Path | None:
    """The root of the checkout that this folder is a part of; None if it is the root itself, or in no checkout.

    There a server looks for its jobs, and nowhere else.
    """
    here = Path.cwd()
    root = next((each for each in (here, *here.parents) if (each / ".git").exists()), None)
    return None if root == here else root


def write_new(path: str, text: str, hint: str = "", makes_folders: bool = False) -> None:
    """Writes a file that is not there; raises OutputError. hint: what else can be done, where it is there."""
    try:
        if makes_folders:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        with Path(path).open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise OutputError(f"{path}: it exists; nothing was written{hint}") from None
    except OSError as fault:
        raise OutputError(f"{path}: {fault.strerror or fault}") from None
