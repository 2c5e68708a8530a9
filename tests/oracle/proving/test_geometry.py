"""`prove --geometry`: in words, what is proved for a geometry, and what is left to the kernel that has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from memoracle.proofs import of_geometry
from memoracle.proofs.components import pat as pat_proofs
from memoracle.proofs.components.heap.classes import of_classes, served
from memoracle.proofs.obligations.discharge import Result, discharge
from memoracle.proving.geometry import duties, has, machine, pat_table, rooms
from memoracle.spec import bitmap, pat, runs
from memoracle.spec.geometry import Geometry, preset
from memoracle.spec.geometry_keys import Area

Prove = Callable[..., Any]
STOCK_LINUX = 0x0407050600070106
SMALL = preset("x64-4k")


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(f'preset = "x64-4k"\npat_register = {STOCK_LINUX}\nheap_classes = [8, 100, 4096]\n')
    return str(path)


def room_of(found: list[dict[str, Any]], component: str) -> dict[str, Any]:
    (room,) = (each for each in found if each["component"] == component)
    return room


def test_what_is_proved_and_what_is_left(prove: Prove, file: str) -> None:
    told = prove("pat", "--geometry", file, "--format", "json")
    assert told.status == 0
    report = told.document["geometry_report"]
    assert report["geometry"] == file
    (room,) = report["components"]
    assert room["keys"] == {"pat_register": f"{STOCK_LINUX:#x}"}
    names = {each["name"]: each["says"] for each in room["theorems"]}
    assert names["pat.every-index-has-a-type"] == pat.every_index_has_a_type.says
    own = [each for each in told.document["obligations"] if each["scope"] == "geometry"]
    assert [each["name"] for each in room["own"]] == [each["name"] for each in own]
    assert len(own) == len(pat.LEGAL) + len(pat.THEOREMS) + 3
    assert all(f"{STOCK_LINUX:#x}" in each["claim"] for each in own)
    assert room["not_proved"] == []
    duty = {each["op"]: each for each in report["duties"]}["frame.allocate"]
    assert {"says": bitmap.allocates_only_free.says, "name": bitmap.allocates_only_free.name} in duty["answers"]
    text = " ".join(prove("pat", "--geometry", file).out.split())
    for part in (
        f"What is proved for {file}",
        "index 5 is write-protected",
        "What is left to your kernel",
        f"- {bitmap.allocates_only_free.says} [{bitmap.allocates_only_free.name}]",
        "a caller who keeps the contract maps only an allocated frame",
        "under its lock.",
        f"- pat_register = {STOCK_LINUX:#x}",
    ):
        assert part in text


def test_without_a_geometry_of_ones_own_there_is_no_such_report(prove: Prove) -> None:
    for options in ((), ("--geometry", "x64-4k")):
        document = prove("pat", *options, "--format", "json").document
        assert "geometry_report" not in document
        assert not any(each["scope"] == "geometry" for each in document["obligations"])


def test_a_verdict_on_one_geometry_is_not_that_on_another(prove: Prove, file: str) -> None:
    first = prove("pat", "--geometry", file, "--format", "json").document["obligations"]
    Path(file).write_text('preset = "x64-4k"\n')
    other = prove("pat", "--geometry", file, "--format", "json").document["obligations"]
    claims = [{each["claim"] for each in found if each["scope"] == "geometry"} for found in (first, other)]
    assert claims[0].isdisjoint(claims[1])


def test_a_register_that_no_processor_takes_is_not_proved_of() -> None:
    found = {each.name: discharge(each, False).verdict for each in pat_proofs.of_register(0x0407050600070102)}
    assert found["pat.geometry.entries-are-types"] == "refuted"
    assert found["pat.geometry.register-has-64-bits"] == "proved"
    others = {verdict for name, verdict in found.items() if name not in map("pat.geometry.{}".format, LEGAL)}
    assert others == {"vacuous"}


LEGAL = ("entries-are-types", "register-has-64-bits")


def test_slabs_of_heap_classes_are_laid_out_as_the_law_says() -> None:
    classes = (8, 100, 1024, 2048)
    claims = [*of_classes(4096, classes, None)]
    assert [each.name for each in claims] == [f"heap.geometry.class-{size}" for size in classes[:3]]
    assert {discharge(each, False).verdict for each in claims} == {"proved"}
    assert [each.layout is None for each in served(4096, classes, None)] == [False, False, False, True]


def test_a_slab_with_another_layout_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    module = of_classes.__globals__
    right = served(4096, (100,), None)
    for change in ({"first": 64}, {"objects": 32}, {"slot_shift": 6}):
        assert right[0].layout is not None
        wrong = right[0]._replace(layout=right[0].layout._replace(**change))
        monkeypatch.setitem(module, "served", lambda *_, wrong=wrong: [wrong])
        (claim,) = of_classes(4096, (100,), None)
        assert discharge(claim, False).verdict == "refuted", change


def test_sizes_are_among_those_of_the_theorems() -> None:
    claims = {each.name: each for name in ("bitmap", "buddy", "runs") for each in of_geometry.obligations(name, SMALL)}
    assert list(claims) == [
        "bitmap.geometry.frames",
        "buddy.geometry.depth-of-kernel-range",
        "buddy.geometry.depth-of-process-range",
    ]
    assert {discharge(each, False).verdict for each in claims.values()} == {"proved"}
    too_many = of_geometry._covered("bitmap", "reach", "frames", 1 << 53)
    assert discharge(too_many, False).verdict == "refuted"


def test_components_are_those_that_a_geometry_has() -> None:
    def there(**keys: Any) -> list[str]:
        return [name for name in ("bitmap", "buddy", "runs", "heap") if has(replace(SMALL, **keys), name)]

    assert there() == ["bitmap", "buddy", "heap"]
    assert there(frame_allocator="runs") == ["buddy", "runs", "heap"]
    assert there(range_allocator="runs") == ["bitmap", "runs", "heap"]
    assert there(range_allocator="runs", frame_allocator="buddy") == ["buddy", "runs", "heap"]


def result(name: str, kind: str, verdict: str = "proved", scope: str = "unbounded", claim: str = "it holds") -> Result:
    return Result(name, name.partition(".")[0], kind, claim, scope, verdict, "z3", 0, 0, False, "", None)


def test_only_what_was_proved_is_said() -> None:
    results = [
        result("bitmap.initially.a", "initial", claim="initially a holds"),
        result("bitmap.add.keeps-a", "invariant"),
        result("bitmap.initially.b", "initial", claim="initially b holds"),
        result("bitmap.add.keeps-b", "invariant", "unknown"),
        result("bitmap.c", "theorem", claim="c holds"),
        result("bitmap.d", "theorem", "refuted"),
        result("bitmap.e.has-one-answer", "theorem"),
        result("bitmap.f", "theorem", scope="bounded: 3 frames"),
        result("bitmap.g.refines", "refinement"),
        result("bitmap.hazard", "expected-refutation", scope="bounded: 3 frames", claim="h holds"),
    ]
    (room,) = rooms(SMALL, results)
    assert room.always == [("a holds", "bitmap.a")]
    assert (room.theorems, room.lemmas, room.code) == ([("c holds", "bitmap.c")], 1, 1)
    assert room.open == ["bitmap.add.keeps-b", "bitmap.d"]
    assert room.hazards == []
    (room,) = rooms(replace(SMALL, frame_free="trusting"), results)
    assert room.hazards == [("h holds", "bitmap.hazard")]
    assert rooms(replace(SMALL, frame_allocator="runs"), results) == []


def test_what_no_claim_is_about_is_not_proved() -> None:
    results = [result("runs.c", "theorem", claim="c holds")]
    for more in ({"frame_allocator": "runs"}, {"frame_allocator": "buddy"}):
        (room,) = rooms(replace(SMALL, **more), results)
        assert room.open == []
        (room,) = rooms(replace(SMALL, frame_free="trusting", **more), results)
        assert [each.partition(",")[0] for each in room.open] == ["frame.free of a run"]


def test_claims_about_pages_of_another_size_are_not_about_it() -> None:
    results = [result(f"paging.map.refines-leaf-{level}", "refinement") for level in (1, 2, 3)]
    (room,) = rooms(SMALL, results)
    assert room.code == 1


def names_of(geometry: Geometry, op: str) -> list[str]:
    (duty,) = (each for each in duties(geometry) if each.op == op)
    return [each.name for each in (*duty.calls, *duty.answers)]


def test_duties_are_those_of_the_geometry() -> None:
    assert bitmap.allocates_only_free.name in names_of(SMALL, "frame.allocate")
    assert names_of(SMALL, "frame.allocate").count(bitmap.allocates_only_free.name) == 1
    of_runs = replace(SMALL, frame_allocator="runs")
    assert runs.run_is_free.name in names_of(of_runs, "frame.allocate")
    (duty,) = (each for each in duties(of_runs) if each.op == "frame.allocate")
    assert ("a run has at least one frame", runs.run_has_a_place.name) in duty.calls
    undefined = replace(SMALL, misuse=(("page.unmap", "undefined"),))
    assert names_of(undefined, "page.unmap") == []
    assert names_of(SMALL, "page.unmap") != []


def test_the_register_in_words() -> None:
    told = pat_table(replace(SMALL, pat_register=STOCK_LINUX))
    assert told[0].startswith("index 0 is write-back, index 1 is write-combining, index 2 is uncached, index 3 is")
    lower = (
        "no index of the lower four has write-through or write-protected: a link to a table of such a type is refused"
    )
    assert told[1:] == [lower]
    assert pat_table(replace(SMALL, pat_register=0x0606060606060606))[1].startswith("no index has uncacheable or ")


def test_the_machine_is_what_the_geometry_says() -> None:
    told = machine(SMALL)
    assert told["page_size"] == "4096"
    assert told["kernel_range"] == "{start = 0xffffffff00000000, pages = 1048576}"
    assert "heap_arena" not in told
    assert (told["misuse"], told["kernel_image_frames"]) == ("{}", "1024")
    said = machine(replace(SMALL, never_free=(Area(0, 4096),), misuse=(("page.unmap", "ignore"),)))
    assert said["misuse"] == '{"page.unmap" = "ignore"}'
    assert said["never_free"] == "[{start = 0x0, bytes = 4096}]"
    assert "kernel_image_frames" not in said  # which is its short form, and of no account then
