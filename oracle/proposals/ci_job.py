"""`init --ci`: a job that checks a project's traces, for its CI server."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from memoracle.console.output import OutputError

# Where each server looks for its jobs.
PLACES = {"github": ".github/workflows/memoracle.yml", "gitlab": ".gitlab-ci.yml"}
ELSEWHERE = {"gitlab": "; --output writes the job to another file, which it can include"}


def job(server: str) -> str:
    """The text of a job, which installs this version."""
    text = (Path(__file__).parent / "templates" / f"{server}.yml").read_text(encoding="utf-8")
    return text.replace("{version}", metadata.version("memoracle"))


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
