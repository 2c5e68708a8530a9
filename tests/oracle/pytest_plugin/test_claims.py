"""What a suite says is tested, and which tests that makes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from blocks_binding import blocks

from memoracle import Conformance, InputError
from memoracle.pytest_plugin.collection import cases_of, suite_of
from memoracle.pytest_plugin.driving import Outcome
from memoracle.pytest_plugin.settings import Settings, read_settings
from memoracle.replay.coverage import AT_STAKE, Coverage
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import GeometryError
from memoracle.trace import events

HERE = Path(__file__).parent
EXAMPLES = Path(__file__).parents[3] / "examples"


class Frames:
    def frame_allocate(self) -> int:
        return 4096

    def frame_free(self, address: int) -> None:
        raise ValueError


def made(**attributes: Any) -> type[Conformance]:
    return type("TestMade", (Conformance,), {"__module__": __name__, **attributes})


def names(config: pytest.Config, **attributes: Any) -> list[str]:
    return [name for _, name, _ in cases_of(suite_of(config, made(**attributes)))]


def test_each_clause_of_each_operation_has_a_test(pytestconfig: pytest.Config) -> None:
    found = names(pytestconfig, target=Frames)
    for kind, operation in ((events.FrameAllocate, "frame.allocate"), (events.FrameFree, "frame.free")):
        clauses = {each.name for each in (*AT_STAKE[kind].calls, *AT_STAKE[kind].answers)}
        rules = {f"{operation}.{each}" for each in ("must-succeed", "must-not-crash", "other-rules")}
        mine = {each for each in found if each.startswith(operation)}
        assert mine == {f"{operation}-{each}" for each in clauses} | rules
        found = [each for each in found if each not in mine]
    assert found == []


def test_the_level_says_which_rules_there_are(pytestconfig: pytest.Config) -> None:
    safe, legal, exact = ({*names(pytestconfig, target=Frames, level=each)} for each in ("safe", "legal", "exact"))
    assert legal - safe == {"frame.allocate.must-succeed", "frame.free.must-succeed"}
    assert exact - legal == {"frame.allocate.policy", "frame.free.policy"}


@pytest.mark.parametrize("target", [Frames, Frames(), lambda: Frames(), f"{__name__}:Frames"])
def test_a_target_may_be_an_object_or_what_makes_one(pytestconfig: pytest.Config, target: Any) -> None:
    sys.modules.setdefault(__name__, sys.modules[Frames.__module__])
    attribute = target if isinstance(target, str | type | Frames) else staticmethod(target)
    assert names(pytestconfig, target=attribute) == names(pytestconfig, target=Frames)


def test_a_program_and_a_binding_say_what_they_have(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    geometries = [str(EXAMPLES / "pool.toml")]
    program = names(pytestconfig, target=f"{sys.executable} {EXAMPLES / 'pool.py'}", geometries=geometries)
    assert {each.split("-")[1] for each in program} >= {"frame.allocate", "frame.free"}
    binding = str(blocks(tmp_path))
    own = names(pytestconfig, binding=binding)
    (tmp_path / "small.toml").write_text('preset = "x64-4k"\nframes = 16\nkernel_image_frames = 2\n')
    both = names(pytestconfig, binding=binding, geometries=["x64-4k", os.path.relpath(tmp_path / "small.toml", HERE)])
    assert "frame.allocate-runs.run-is-free" in own
    assert {each.partition("-frame")[0].rpartition("/")[2] for each in both} == {"x64-4k", "small"}
    assert any(each.endswith("small-frame.allocate-bitmap.allocates-only-free") for each in both)


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ({}, "neither binding nor target says what is tested"),
        ({"binding": "none.toml"}, "none.toml"),
        ({"target": object}, "it has no operation of a trace"),
        ({"target": "./none"}, "./none: cannot run"),
        ({"target": "none:none"}, "none:none"),
        ({"target": Frames, "ops": 0}, "ops: Expected"),
        ({"target": Frames, "seed": sys.maxsize}, "seed: Expected"),
        ({"target": Frames, "level": "lawful"}, "level: Invalid enum value 'lawful'"),
        ({"target": Frames, "geometries": "x64-2m"}, "geometries: Expected `array`, got `str`"),
        ({"target": Frames, "geometries": ["none.toml"]}, "none.toml"),
    ],
)
def test_what_makes_no_sense_is_refused(pytestconfig: pytest.Config, attributes: dict[str, Any], says: str) -> None:
    with pytest.raises((InputError, GeometryError)) as refusal:
        names(pytestconfig, **attributes)
    assert says in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[tool.memoracle]\nops = 0\n", ":2: tool.memoracle.ops: Expected `int` >= 1"),
        ("[tool]\n\nmemoracle = 5\n", ":3: tool.memoracle: Expected `object`, got `int`"),
        ('[tool.memoracle]\ngeometries = ["a",\n5]\n', ":3: tool.memoracle.geometries[1]: Expected `str`, got `int`"),
        ("[tool.memoracle\n", ": it is not TOML"),
    ],
)
def test_a_fault_of_a_pyproject_has_its_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(text)
    with pytest.raises(InputError) as refusal:
        read_settings(path)
    assert str(refusal.value).startswith(f"{path}{says}")


def test_a_pyproject_may_say_nothing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text('dependencies = ["memoracle"]\n')
    assert read_settings(path) is None
    path.write_text("[tool.memoracle]\nseed = 7\n")
    assert read_settings(path) == Settings(seed=7)


def judged(config: pytest.Config, outcome: Outcome) -> dict[str, str]:
    """What comes of the tests of frame.allocate: nothing of those that pass."""
    found = {}
    for _, name, claim in cases_of(suite_of(config, made(target=Frames))):
        claim.driving.__dict__["outcome"] = outcome
        try:
            claim.judge()
        except (pytest.fail.Exception, pytest.skip.Exception) as what:
            found[name] = str(what)
    return {name: what for name, what in found.items() if name.startswith("frame.allocate")}


def test_a_rule_passes_only_if_it_was_put_to_the_test(pytestconfig: pytest.Config) -> None:
    coverage, kind = Coverage(), events.FrameAllocate
    never = judged(pytestconfig, Outcome(coverage=coverage, calls=9))
    assert never.keys() == {each for each in names(pytestconfig, target=Frames) if each.startswith("frame.allocate")}
    assert {*never.values()} == {"never put to the test in 9 calls: frame.allocate was never called"}
    coverage.events[kind] = coverage.failed[kind] = 2
    failed = judged(pytestconfig, Outcome(coverage=coverage, calls=9, ended="heap.is-disjoint"))
    assert never.keys() - failed.keys() == {"frame.allocate.must-not-crash"}
    words = "never put to the test in 9 calls: no frame.allocate succeeded; the run ended with [heap.is-disjoint]"
    assert failed["frame.allocate.must-succeed"] == words
    coverage.events[kind] = 3
    assert judged(pytestconfig, Outcome(coverage=coverage)) == {}


def test_what_may_follow_from_another_rule_does_not_pass(pytestconfig: pytest.Config) -> None:
    coverage, rule = Coverage(), ("frame.allocate", "bitmap.allocates-only-free")
    coverage.events[events.FrameAllocate] = 1
    broken = {("frame.free", "bitmap.frees-only-allocated"): "so"}
    found = judged(pytestconfig, Outcome(broken=broken, after={rule: "frame 2 is taken"}, coverage=coverage))
    words = "it broke only after [bitmap.frees-only-allocated] had, from which that may follow: frame 2 is taken"
    assert found == {"frame.allocate-bitmap.allocates-only-free": words}


def test_each_divergence_fails_one_test(pytestconfig: pytest.Config) -> None:
    operation = "frame.allocate"
    rules = {
        f"{operation}.must-not-crash": f"{operation}.must-not-crash",
        "bitmap.allocates-only-free": f"{operation}-bitmap.allocates-only-free",
        "manager.holds-a-table": f"{operation}.other-rules",
    }
    coverage = Coverage()
    coverage.events[events.FrameAllocate] = 1
    for clause, name in rules.items():
        assert judged(pytestconfig, Outcome(broken={(operation, clause): "so"}, coverage=coverage)) == {name: "so"}


def test_without_a_verdict_all_fail(pytestconfig: pytest.Config) -> None:
    found = judged(pytestconfig, Outcome(fault="no device"))
    assert found.keys() == {each for each in names(pytestconfig, target=Frames) if each.startswith("frame.allocate")}
    assert {*found.values()} == {"no device"}


def test_a_program_may_lie_in_any_folder(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    program = tmp_path / "a program's folder" / "pool"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{(EXAMPLES / 'pool.py').read_text()}")
    program.chmod(0o755)
    geometry = str(EXAMPLES / "pool.toml")
    suite = suite_of(pytestconfig, made(target=os.path.relpath(program, HERE), geometries=[geometry], ops=20))
    [outcome] = {id(claim.driving): claim.driving.outcome for _, _, claim in cases_of(suite)}.values()
    assert (outcome.fault, outcome.broken, outcome.calls) == ("", {}, 20)


class Pool:
    def __init__(self, geometry: Geometry) -> None:
        self.size = geometry.page_size
        self.free = [*range(geometry.kernel_image_frames, geometry.frames)]

    def frame_allocate(self) -> int:
        return self.free.pop() * self.size


def test_what_makes_an_object_may_be_given_the_machine(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    for preset, frames in (("x64-2m", 20), ("x64-4k", 9)):
        path = tmp_path / f"{preset}.toml"
        path.write_text(f'preset = "{preset}"\nframes = {frames}\nkernel_image_frames = 2\n')
    geometries = [str(each) for each in tmp_path.iterdir()]
    suite = suite_of(pytestconfig, made(target=Pool, geometries=geometries, ops=40))
    outcomes = {id(claim.driving): claim.driving.outcome for _, _, claim in cases_of(suite)}
    assert [(each.fault, each.broken, each.calls) for each in outcomes.values()] == [("", {}, 40)] * 2
