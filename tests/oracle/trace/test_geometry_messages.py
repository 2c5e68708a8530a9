"""What is said of a geometry that cannot be, in a TOML file or a mapping: the field, the value, and whose it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from memoracle.spec.geometry import preset
from memoracle.spec.geometry_keys import GeometryError, Piece, Range
from memoracle.trace.geometry import geometry_from, load_geometry

MIB = 1 << 20


def test_toml_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "machine.toml"
    file.write_text(
        'preset = "x64-4k"\nframes = 0x1000\nkernel_range = {start = "0xffffffff80000000", pages = 4096}\n'
        "kernel_reserved = [{page = 0, pages = 16}]\n"
    )
    geometry = load_geometry(str(file))
    assert (geometry.frames, geometry.kernel_range) == (4096, Range(0xFFFFFFFF80000000, 4096))
    assert geometry.kernel_reserved == (Piece(0, 16),)
    assert load_geometry("x64-2m") == preset("x64-2m")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"frames = 0\n", "frames"),
        (b"frames = \n", "it is not TOML"),
        (b"frames = " + b"9" * 5000, "it is not TOML: a number has thousands of digits"),
        (b"frames = 0x" + b"f" * 5000, r"frames: 0xf+\.\.\. is not between 0 and 2"),
        (b"preset = '\xff'\n", "not UTF-8: invalid start byte at byte 10"),
        (b"colour = 'red'\n", "colour: unknown key"),
    ],
)
def test_faulty_toml_file_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "machine.toml"
    file.write_bytes(content)
    with pytest.raises(GeometryError, match=told) as refusal:
        load_geometry(str(file))
    assert str(refusal.value).startswith((f"{file}: ", f"{file}:1: "))


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match=r"none\.toml: neither a preset \(x64-2m, x64-4k\) nor a file"):
        load_geometry(str(tmp_path / "none.toml"))
    with pytest.raises(GeometryError, match="cannot read"):
        load_geometry(str(tmp_path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"kernel_range": {"start": "0xffffffff00000000", "pages": 16}},
            "kernel_reserved: pages 2047 to 2047 are not in the range (kernel_reserved as in the preset x64-2m)",
        ),
        ({"leaf_level": 1}, "page_size: a leaf of level 1 maps 4096 bytes, not 2097152 (page_size as in the preset"),
        ({"page_size": 4096}, "page_size: a leaf of level 2 maps 2097152 bytes, not 4096 (leaf_level as in the preset"),
        ({"preset": "x64-4k", "leaf_level": 2}, "(page_size as in the preset x64-4k)"),
        (
            {"frames": 1, "never_free": [{"start": 0, "bytes": 4 * MIB}]},
            "never_free[0]: 0x0 to 0x3fffff is not within the bitmap's 0x200000 bytes (page_size as in the preset",
        ),
        ({"frames": 1}, "kernel_image_frames: 2 is not between 1 and the bitmap's 1 (kernel_image_frames as in"),
        (
            {"kernel_reserved": [{"page": 0, "pages": 4096}]},
            "pages 0 to 4095 are not in the range (kernel_range as in the preset x64-2m)",
        ),
    ],
)
def test_what_a_preset_says_is_told_apart(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(GeometryError, match=re.escape(message)):
        geometry_from(changes)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "true"),
        (False, "false"),
        (None, "null"),
        ({"page": 0}, "a table"),
        ([{"page": 0}], "a list"),
        (1.5, "1.5"),
    ],
)
def test_values_are_shown_without_the_notation_of_python(value: object, shown: str) -> None:
    for field in ("frames", "pat_register", "frame_free", "free_while_mapped"):
        with pytest.raises(GeometryError, match=rf"^{field}: {shown} is n"):
            geometry_from({field: value})


def test_a_policy_that_is_none_is_not_laid_on_a_preset() -> None:
    with pytest.raises(GeometryError, match=r"'never' is none of refuse, ignore, either, undefined$"):
        geometry_from({"misuse": {"page.unmap": "never"}})


# By key, what it may be at least and at most, and what else the geometry says; the first of two that are out of range.
BOUNDS: list[tuple[str, Any, dict[str, Any]]] = [
    ("frame_max_order", 53, {"frame_allocator": "buddy"}),
    ("range_max_order", 99, {}),
    ("leaf_level", 4, {}),
    ("page_size", 4096, {}),
    ("physical_address_bits", 31, {}),
    ("physical_address_bits", 53, {}),
    ("frames", 0, {}),
    ("frames", 1 << 40, {}),
    ("kernel_image_frames", 0, {}),
    ("kernel_image_frames", 2049, {}),
    ("heap_alignment", 24, {}),
    ("heap_alignment", "page", {}),
    ("frame_free", "careless", {}),
    ("free_while_mapped", "never", {}),
    ("frame_allocator", "several", {}),
    ("frame_free_parts", "some", {"frame_allocator": "runs"}),
    ("range_allocator", "first fit", {}),
    ("range_free", "parts", {}),
    ("never_free", [{"start": 0, "bytes": 0}], {}),
    ("direct_map", {"start": "0xffff900000000000", "physical": 0, "bytes": 0}, {}),
    ("kernel_range", {"start": "0xffffffff00000000", "pages": 0}, {}),
    ("kernel_reserved", [{"page": 0, "pages": 0}], {"range_allocator": "runs"}),
    ("heap_arena", {"start": 4096, "bytes": 0}, {}),
    ("process_reserved", [{"page": 0, "pages": 1 << 20}], {"range_max_order": 3}),
]


@pytest.mark.parametrize(("key", "value", "beside"), BOUNDS)
def test_what_is_out_of_range_is_shown(key: str, value: Any, beside: dict[str, Any]) -> None:
    shown = {"never_free": 0, "direct_map": 0, "kernel_range": 0, "kernel_reserved": 0, "heap_arena": 0}
    due = 1 << 17 if key == "process_reserved" else shown.get(key, value)
    with pytest.raises(GeometryError) as refusal:
        geometry_from(beside | {key: value})
    assert refusal.value.keys[0] == key
    assert re.search(rf"(?<!\d){re.escape(repr(due))}(?!\d)", refusal.value.message) is not None


@pytest.mark.parametrize(
    ("changes", "about"),
    [
        ({"frame_max_order": 3}, ("frame_allocator",)),
        ({"range_allocator": "runs", "range_max_order": 3}, ("range_allocator",)),
        ({"range_free": "partial"}, ("range_allocator",)),
        ({"frame_free_parts": "whole"}, ("frame_allocator",)),
        ({"leaf_level": 1}, ("leaf_level",)),
        ({"frames": 1 << 40}, ("page_size", "physical_address_bits")),
        ({"frames": 0}, ()),
        ({"frames": 1}, ("frames",)),
        ({"never_free": [{"start": 1, "bytes": 2 * MIB}]}, ("page_size",)),
        ({"never_free": [{"start": 0, "bytes": 0}]}, ()),
        ({"never_free": [], "kernel_image_frames": 1}, ("kernel_image_frames",)),
        ({"process_reserved": [{"page": 0, "pages": 3}]}, ("range_allocator",)),
        ({"process_reserved": [{"page": 1 << 26, "pages": 1}]}, ("process_range",)),
        ({"process_reserved": [{"page": 1, "pages": 2}]}, ("process_range",)),
        ({"process_reserved": [{"page": 0, "pages": 1 << 20}], "range_max_order": 3}, ("range_max_order",)),
        ({"direct_map": {"start": 0, "physical": 0, "bytes": 2 * MIB}}, ()),
        ({"direct_map": {"start": 1, "physical": 0, "bytes": 2 * MIB}}, ("page_size",)),
    ],
)
def test_a_fault_knows_the_keys_that_it_is_about(changes: dict[str, Any], about: tuple[str, ...]) -> None:
    with pytest.raises(GeometryError) as refusal:
        geometry_from(changes)
    assert refusal.value.about == about
    unsaid = [key for key in refusal.value.keys if key not in changes]
    assert all(key in str(refusal.value).partition("(")[2] for key in unsaid)


def test_what_is_said_by_oneself_is_not_laid_on_a_preset() -> None:
    with pytest.raises(GeometryError) as fault:
        geometry_from({"leaf_level": 1, "page_size": 1 << 21})
    assert "preset" not in str(fault.value)


def test_unknown_key_lists_those_that_there_are() -> None:
    with pytest.raises(GeometryError, match=r"^colour: unknown key; a geometry has preset, page_size, frames, "):
        geometry_from({"colour": 1})


def test_file_of_a_geometry_has_a_limit_and_may_have_a_mark(tmp_path: Path) -> None:
    (tmp_path / "g.toml").write_bytes(b"\xef\xbb\xbfframes = 64\n")
    assert load_geometry(str(tmp_path / "g.toml")).frames == 64
    with pytest.raises(GeometryError, match="/dev/zero: it is not TOML: it has more than 1,048,576 bytes"):
        load_geometry("/dev/zero")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"never_free": [{"start": 0, "bytes": 0}]}, "never_free[0].bytes: 0 is not positive"),
        (
            {"zones": [{"name": "a", "start": 0, "bytes": 4 * MIB}, {"name": "a", "start": 4 * MIB, "bytes": 4 * MIB}]},
            "zones[1].name: 'a' is the name of another, too",
        ),
        ({"kernel_range": {"start": "0xffffffff00000000", "pages": 0}}, "kernel_range: it has 0 pages"),
    ],
)
def test_a_preset_is_not_blamed_for_what_it_has_no_part_in(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(GeometryError) as refusal:
        geometry_from(changes)
    assert "as in the preset" not in str(refusal.value)
    assert str(refusal.value).startswith(message.partition(":")[0])
