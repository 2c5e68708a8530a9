"""What other people's repositories use of this one: an action, hooks, jobs, an image. Each does what it says, with the
installed package in the place of what would be fetched.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from check_jsonschema.cli.main_command import main as check_jsonschema
from click.testing import CliRunner
from pre_commit.clientlib import load_manifest

from memoracle.cli import main

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
MEMORACLE = Path(sys.executable).with_name("memoracle")
# In the place of Python: it makes an environment that has memoracle, and notes what is to be installed.
PYTHON = f"""#!/bin/sh
log="$(dirname "$0")/installed"
case "$2" in
venv) mkdir -p "$3/bin" && ln -s {MEMORACLE} "$3/bin/memoracle" && ln -s "$0" "$3/bin/pip" ;;
*) echo "$@" >> {{log}} ;;
esac
"""


@dataclass
class Runner:
    """Runs scripts in a checkout, as a CI server's runner does."""

    checkout: Path
    temporary: Path

    @property
    def installed(self) -> list[str]:
        return (self.temporary / "installed").read_text(encoding="utf-8").splitlines()

    def run(self, script: str, folder: str = ".", **variables: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.temporary}:{MEMORACLE.parent}:{os.environ['PATH']}"
        files = {name: str(self.temporary / name.lower()) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        environment = {"PATH": path, "HOME": str(self.temporary), "RUNNER_TEMP": str(self.temporary), **files}
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=self.checkout / folder,
            env={**environment, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    def reports(self) -> list[str]:
        return sorted(each.name for each in self.checkout.iterdir() if each.name not in ("traces", ".git"))


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    found = Runner(tmp_path / "checkout", tmp_path / "temporary")
    (found.checkout / "traces").mkdir(parents=True)
    found.temporary.mkdir()
    python = found.temporary / "python3"
    python.write_text(PYTHON.format(log=found.temporary / "installed"), encoding="utf-8")
    python.chmod(0o755)
    shutil.copy(EXAMPLES / "diverging.jsonl", found.checkout / "traces" / "bad.jsonl")
    return found


def yaml_of(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def act(runner: Runner, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Runs the steps of the action."""
    action = yaml_of(ROOT / "action.yml")
    assert action["runs"]["using"] == "composite"
    given = {name: each.get("default", "") for name, each in action["inputs"].items()} | inputs
    assert inputs.keys() <= action["inputs"].keys()
    values = {f"inputs.{name}": value for name, value in given.items()} | {"github.action_path": str(ROOT)}
    done = None
    for step in action["runs"]["steps"]:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]  # an input would be run as a part of the script
        folder = filled(step.get("working-directory", "."), values)
        done = runner.run(step["run"], folder, **{name: filled(each, values) for name, each in step["env"].items()})
        if done.returncode:
            break
    assert done is not None
    return done


def filled(text: str, values: dict[str, str]) -> str:
    """With its expressions replaced by their values."""
    return re.sub(r"\$\{\{ (\S+) \}\}", lambda found: values[found[1]], text)


WHEEL = "wheels/memoracle-0.1.0-py3-none-any.whl"
REPORTS = ["memoracle-junit.xml", "memoracle-report", "memoracle.sarif"]


def test_the_action_shows_what_diverges(runner: Runner) -> None:
    done = act(runner, arguments="traces/*.jsonl --keep-going")
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert [each.partition(",title")[0] for each in lines if each.startswith("::")] == [
        "::error file=traces/bad.jsonl,line=10",
        "::error file=traces/bad.jsonl,line=11",
    ]
    assert runner.reports() == REPORTS
    assert (runner.temporary / "github_output").read_text(encoding="utf-8") == "status=1\n"
    assert "diverges" in (runner.temporary / "github_step_summary").read_text(encoding="utf-8")
    assert runner.installed == [f"install --quiet --constraint {ROOT}/constraints.txt {ROOT}"]


def test_the_action_works_where_it_is_told_and_writes_what_it_is_told(runner: Runner) -> None:
    names = {"sarif": "a.sarif", "junit": "b.xml", "html": "c"}
    done = act(runner, arguments="*.jsonl", **{"working-directory": "traces"}, **names)
    assert (done.returncode, done.stderr) == (1, "")
    folder = runner.checkout / "traces"
    assert sorted(each.name for each in folder.iterdir()) == ["a.sarif", "b.xml", "bad.jsonl", "c"]
    assert json.loads((folder / "a.sarif").read_text(encoding="utf-8"))["version"] == "2.1.0"
    assert (folder / "b.xml").read_text(encoding="utf-8").startswith("<?xml")
    assert [each.name for each in (folder / "c").iterdir()] == ["index.html"]


def test_the_action_hands_its_status_on() -> None:
    action = yaml_of(ROOT / "action.yml")
    (step,) = [each for each in action["runs"]["steps"] if "$GITHUB_OUTPUT" in each["run"]]
    assert action["outputs"]["status"]["value"] == f"${{{{ steps.{step['id']}.outputs.status }}}}"


def test_the_action_runs_nothing_that_it_is_given(runner: Runner) -> None:
    hostile = "traces/bad.jsonl; touch made $(touch made) `touch made` && touch made"
    done = act(runner, arguments=hostile, sarif="$(touch made).sarif")
    assert done.returncode == 2
    assert not (runner.checkout / "made").exists()
    assert not list(runner.checkout.rglob("made"))


def test_the_action_installs_the_solver_to_prove(runner: Runner) -> None:
    done = act(runner, command="prove", arguments="nothing-of-this-name")
    assert "memoracle prove" in done.stdout
    assert runner.installed[0].endswith(f"{ROOT}[prove]")
    assert (runner.temporary / "github_output").read_text(encoding="utf-8") == "status=2\n"


def fits(schema: str, path: Path | str) -> None:
    """Holds a file to the schema that is published of its kind."""
    done = CliRunner().invoke(check_jsonschema, ["--builtin-schema", f"vendor.{schema}", str(path)])
    assert done.exit_code == 0, done.output


def test_the_action_is_one() -> None:
    fits("github-actions", ROOT / "action.yml")


def job(runner: Runner, monkeypatch: pytest.MonkeyPatch, server: str, place: str, *options: str) -> Any:
    """The job that `init` writes into a checkout."""
    monkeypatch.chdir(runner.checkout)
    assert main(["init", "--ci", server, "--quiet", *options]) == 0
    fits({"github": "github-workflows", "gitlab": "gitlab-ci"}[server], place)
    found = yaml_of(runner.checkout / place)
    shutil.rmtree(place.split("/")[0], ignore_errors=True)
    Path(place).unlink(missing_ok=True)
    return found


def is_new_enough(python: str) -> bool:
    """Whether this version of Python can run memoracle."""
    least = metadata.metadata("memoracle")["Requires-Python"].removeprefix(">=")
    return tuple(map(int, python.split("."))) >= tuple(map(int, least.split(".")))


def test_actions_of_others_are_pinned_by_their_commit() -> None:
    """A tag can be moved to other code; which version a commit is stands beside it."""
    templates = ROOT / "oracle" / "proposals" / "templates"
    sources = [ROOT / "action.yml", *templates.glob("*.yml"), *(ROOT / ".github").rglob("*.yml")]
    sources += (ROOT / "docs").glob("*.md")
    text = "\n".join(each.read_text(encoding="utf-8") for each in sources)
    used = re.findall(r"^\s*(?:- )?uses: (?!OWNER/memoracle@)(.*)$", text, re.MULTILINE)
    names = {each.partition("@")[0] for each in used}
    assert names >= {"actions/checkout", "actions/upload-artifact", "github/codeql-action/upload-sarif"}
    assert len({*used}) == len(names), "each in one version"
    assert [each for each in used if not re.fullmatch(r"\S+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)] == []


def test_a_workflow_checks_the_traces(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    place = ".github/workflows/memoracle.yml"
    workflow = job(runner, monkeypatch, "github", place, "--from", WHEEL)
    (check,) = workflow["jobs"].values()
    assert workflow["permissions"] == {"contents": "read", "security-events": "write"}
    assert workflow[True] == ["push", "pull_request"], "YAML 1.1 reads on as true"
    assert check["steps"][0]["with"] == {"persist-credentials": False}
    assert is_new_enough(check["steps"][1]["with"]["python-version"])
    steps = {step["name"]: step for step in check["steps"] if "name" in step}
    scripts = [step["run"] for step in steps.values() if "run" in step]
    done = [runner.run(script, **check["env"]) for script in scripts]
    assert [each.returncode for each in done] == [0, 1]
    assert done[-1].stdout.startswith("::error file=traces/bad.jsonl,line=10,")
    assert runner.installed == [f"-m pip install --quiet {WHEEL}"]
    kept = steps["Keep the reports"]["with"]["path"].split()
    assert sorted(kept) == runner.reports() == REPORTS
    assert steps["Show the findings"]["with"]["sarif_file"] in kept
    assert steps["Keep the reports"]["if"] == "always()", "a step before it has failed"
    assert steps["Show the findings"]["if"].startswith("always() && ")


def test_a_job_of_gitlab_checks_the_traces(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    check = job(runner, monkeypatch, "gitlab", ".gitlab-ci.yml", "--from", WHEEL)["memoracle"]
    scripts = [*check["before_script"], *check["script"]]
    done = [runner.run(script, **check["variables"]) for script in scripts]
    assert [each.returncode for each in done] == [0, 1]
    assert "bad.jsonl: diverges" in done[-1].stdout
    assert runner.installed == [f"-m pip install --quiet {WHEEL}"]
    artifacts = check["artifacts"]
    assert sorted([*artifacts["paths"], artifacts["reports"]["junit"]]) == runner.reports() == REPORTS
    assert artifacts["when"] == "always"
    assert is_new_enough(check["image"].removeprefix("python:"))


@pytest.mark.parametrize("source", ["a b.whl", """quo"tes'.whl""", "- : # {x}", "vendor/ü"])
@pytest.mark.parametrize("server", ["github", "gitlab"])
def test_a_job_installs_whatever_it_is_told_to(
    runner: Runner, monkeypatch: pytest.MonkeyPatch, server: str, source: str
) -> None:
    place = ".gitlab-ci.yml" if server == "gitlab" else ".github/workflows/memoracle.yml"
    found = job(runner, monkeypatch, server, place, f"--from={source}")
    variables = found["memoracle"]["variables"] if server == "gitlab" else found["jobs"]["check"]["env"]
    assert variables["MEMORACLE_FROM"] == source


def test_the_hook_checks_what_is_committed(runner: Runner) -> None:
    """As pre-commit runs it, but for the environment that it would make."""
    (hook,) = load_manifest(str(ROOT / ".pre-commit-hooks.yaml"))
    assert (hook["language"], hook["require_serial"]) == ("python", True), "a report of all, not one of each part"
    local = {key: hook[key] for key in ("id", "name", "entry", "files", "require_serial")} | {"language": "system"}
    config = runner.checkout / ".pre-commit-config.yaml"
    shutil.copy(EXAMPLES / "conforming.jsonl", runner.checkout / "traces" / "good.jsonl")
    packed = gzip.compress((EXAMPLES / "conforming.jsonl").read_bytes())
    (runner.checkout / "traces" / "packed.jsonl.gz").write_bytes(packed)
    shutil.copy(EXAMPLES / "diverging.jsonl", runner.checkout / "other.jsonl")
    config.write_text(yaml.safe_dump({"repos": [{"repo": "local", "hooks": [local]}]}), encoding="utf-8")
    hooks = f"{shlex.quote(sys.executable)} -m pre_commit run --all-files --verbose"
    done = runner.run(f"git init --quiet && git add . && {hooks}", PRE_COMMIT_HOME=str(runner.temporary))
    assert done.returncode == 1, done.stderr
    assert "traces/bad.jsonl: diverges" in done.stdout
    assert "traces/good.jsonl: conforms" in done.stdout
    assert "traces/packed.jsonl.gz: conforms" in done.stdout
    assert "other.jsonl" not in done.stdout


def test_the_image_runs_memoracle(runner: Runner) -> None:
    """Its instructions, as a build and a run of it would follow them."""
    lines = (ROOT / "Containerfile").read_text(encoding="utf-8").splitlines()
    instructions = [line.partition(" ")[::2] for line in lines if line and not line.startswith("#")]
    assert [name for name, _ in instructions] == ["FROM", "COPY", "RUN", "WORKDIR", "ENTRYPOINT", "CMD"]
    said = dict(instructions)
    copied, to = said["COPY"].split()
    assert (copied, to) == (".", "/tmp/memoracle")
    inside = runner.temporary / "memoracle"
    inside.mkdir()
    done = runner.run(said["RUN"].replace(to, str(inside)))
    assert (done.returncode, inside.exists()) == (0, False)
    assert is_new_enough(re.findall(r"/python:([\d.]+)-slim$", said["FROM"])[0])
    assert said["WORKDIR"] == "/work", "where docs/ci.md mounts the folder"
    constraints = f"--constraint {inside}/constraints.txt"
    options = "--no-cache-dir --root-user-action ignore"
    assert runner.installed == [f"-m pip install {options} {constraints} {inside}[dask,prove]"]
    entry, default = (yaml.safe_load(said[name]) for name in ("ENTRYPOINT", "CMD"))
    assert runner.run(shlex.join([*entry, *default])).stdout.startswith("usage: memoracle")
    everything, *rest = [
        each for each in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if each[0] != "#"
    ]
    assert everything == "*"
    copied = {each.removeprefix("!") for each in rest if each.startswith("!")}
    assert copied == {
        "LICENSE",
        "README.md",
        "bin",
        "constraints.txt",
        "impl",
        "oracle",
        "proofs",
        "pyproject.toml",
        "setup.py",
        "spec",
    }
    assert all((ROOT / each).exists() for each in copied)
