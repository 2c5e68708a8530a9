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
    assert str(refusal.value).startswith(f"{file}: ")


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
        ({"never_free": [{"start": 0, "bytes": 0}]}, "never_free[0].bytes: it is not positive"),
        (
            {"zones": [{"name": "a", "start": 0, "bytes": 4 * MIB}, {"name": "a", "start": 4 * MIB, "bytes": 4 * MIB}]},
            "zones[1].name: 'a' is the name of another, too",
        ),
        ({"kernel_range": {"start": "0xffffffff00000000", "pages": 0}}, "kernel_range: it has no pages"),
    ],
)
def test_a_preset_is_not_blamed_for_what_it_has_no_part_in(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(GeometryError) as refusal:
        geometry_from(changes)
    assert "as in the preset" not in str(refusal.value)
    assert str(refusal.value).startswith(message.partition(":")[0])
