from __future__ import annotations

import dataclasses
import re

import pytest

from memoracle.spec.geometry import Geometry, preset
from memoracle.spec.geometry_keys import Area, Arena, DirectMap, GeometryError, Piece, Range, ZoneArea
from memoracle.trace.geometry import geometry_from, number

KERNEL = 0xFFFFFFFF00000000
MIB = 1 << 20


def test_mapping_changes_only_what_it_names() -> None:
    geometry = geometry_from({"preset": "x64-2m", "process_range": {"start": 0, "pages": "0x2000000"}})
    assert geometry == dataclasses.replace(preset("x64-2m"), process_range=Range(0, 1 << 25))


def test_mapping_without_a_preset_starts_from_the_default() -> None:
    assert geometry_from({"frames": 64}) == dataclasses.replace(preset("x64-2m"), frames=64)
    assert geometry_from("x64-4k") == preset("x64-4k")


def test_every_key_can_be_given() -> None:
    keys: dict[str, object] = {
        "page_size": "0x40000000",
        "frames": 8,
        "never_free": [{"start": 0, "bytes": "0x40000000"}, {"start": "0x80000000", "bytes": "0x80000000"}],
        "frame_allocator": "buddy",
        "frame_max_order": "0x2",
        "frame_free_parts": "partial",
        "zones": [{"name": "low", "start": 0, "bytes": "0x40000000"}],
        "physical_address_bits": 40,
        "direct_map": {"start": "0xffff900000000000", "physical": 0, "bytes": "0x80000000"},
        "kernel_range": {"start": "0xffff800000000000", "pages": 4},
        "kernel_reserved": [{"page": 2, "pages": 2}, {"page": 0, "pages": 1}],
        "process_range": {"start": "0x100000000", "pages": 4},
        "leaf_level": 3,
        "pat_register": "0x0007040600070406",
        "heap_classes": [16, 32],
        "frame_free": "checked",
        "heap_alignment": 16,
        "heap_arena": {"start": "0xffff800000001000", "bytes": 65536, "overhead": 16, "minimum": 32},
        "heap_fragments": True,
        "free_while_mapped": "refuse",
        "range_allocator": "runs",
        "range_free": "partial",
        "process_reserved": [{"page": 1, "pages": 3}],
        "misuse": {"page.unmap": "ignore", "frame.free": "undefined"},
    }
    of_buddies = {"range_max_order"}  # the ranges here are of runs
    assert {*keys, "kernel_image_frames", *of_buddies} == {field.name for field in dataclasses.fields(Geometry)}
    read = geometry_from(keys)
    assert read == Geometry(
        page_size=1 << 30,
        frames=8,
        kernel_image_frames=2,  # the preset's, which no longer counts
        physical_address_bits=40,
        kernel_range=Range(0xFFFF800000000000, 4),
        kernel_reserved=(Piece(2, 2), Piece(0, 1)),
        process_range=Range(1 << 32, 4),
        leaf_level=3,
        pat_register=0x0007040600070406,
        heap_classes=(16, 32),
        frame_free="checked",
        heap_alignment=16,
        heap_arena=Arena(0xFFFF800000001000, 65536, 16, 32),
        heap_fragments=True,
        direct_map=DirectMap(0xFFFF900000000000, 0, 2 << 30),
        free_while_mapped="refuse",
        range_allocator="runs",
        range_free="partial",
        process_reserved=(Piece(1, 3),),
        misuse=(("page.unmap", "ignore"), ("frame.free", "undefined")),
        never_free=(Area(0, 1 << 30), Area(2 << 30, 2 << 30)),
        frame_allocator="buddy",
        frame_max_order=2,
        frame_free_parts="partial",
        zones=(ZoneArea("low", 0, 1 << 30),),
    )
    assert read.never_free_frames == ((0, 1), (2, 4))


def test_the_short_form_of_what_is_never_free() -> None:
    assert preset("x64-2m").never_free_frames == ((0, 2),)
    assert geometry_from({"kernel_image_frames": 7}).never_free_frames == ((0, 7),)
    assert geometry_from({"never_free": []}).never_free_frames == ()
    assert geometry_from({"frames": 1, "never_free": []}).frames == 1  # the preset's image has two


def test_both_forms_of_what_is_never_free_are_refused() -> None:
    with pytest.raises(GeometryError, match=r"^never_free: it is given beside kernel_image_frames, .* its short form"):
        geometry_from({"never_free": [], "kernel_image_frames": 2})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("page_size", 3 * MIB),
        ("page_size", 0),
        ("page_size", -4096),
        ("page_size", 4096),  # a leaf of level 2 maps 2 MiB
        ("page_size", True),
        ("page_size", 2.0),
        ("page_size", "2 MiB"),
        ("page_size", "0x"),
        ("leaf_level", 0),
        ("leaf_level", 4),
        ("leaf_level", True),
        ("frames", 0),
        ("frames", -1),
        ("frames", None),
        ("frames", (1 << 52 - 21) + 1),
        ("kernel_image_frames", 0),
        ("kernel_image_frames", 2049),
        ("kernel_image_frames", False),
        ("never_free", {"start": 0, "bytes": 2 * MIB}),
        ("never_free[0].start", [{"start": 4096, "bytes": 2 * MIB}]),
        ("never_free[0].bytes", [{"start": 0, "bytes": 4096}]),
        ("never_free[1].bytes", [{"start": 0, "bytes": 2 * MIB}, {"start": 2 * MIB, "bytes": 0}]),
        ("never_free[0].bytes", [{"start": 0}]),
        ("never_free[0].pages", [{"start": 0, "pages": 1}]),
        ("never_free[0]", [{"start": 2047 * 2 * MIB, "bytes": 4 * MIB}]),
        ("frame_allocator", "several"),
        ("frame_allocator", None),
        ("frame_max_order", 3),  # of the allocator "single"
        ("frame_free_parts", "whole"),  # likewise
        ("physical_address_bits", 31),
        ("physical_address_bits", 53),
        ("physical_address_bits", 1 << 63),
        ("kernel_range", {"start": 0, "pages": 2048}),  # the lower half
        ("kernel_range", {"start": "0x800000000000", "pages": 2048}),  # not canonical
        ("kernel_range", {"start": "0xffff700000000000", "pages": 2048}),  # not canonical
        ("kernel_range", {"start": "0xffffffff00000001", "pages": 2048}),  # misaligned
        ("kernel_range", {"start": "0xffffffff00000000", "pages": 0}),
        ("kernel_range", []),
        ("process_range", {"start": KERNEL, "pages": 2048}),  # the upper half, and the kernel's range
        ("process_range", {"start": 0, "pages": 1 << 27}),  # past the lower half
        ("process_range", {"start": "0x800000000000", "pages": 1 << 26}),
        ("kernel_reserved", [{"page": 0, "pages": 2}, {"page": 1, "pages": 1}]),
        ("kernel_reserved", [{"page": 2, "pages": 1}, {"page": 2, "pages": 1}]),
        ("kernel_reserved", [{"page": 1, "pages": 2}]),
        ("kernel_reserved", [{"page": 0, "pages": 3}]),
        ("kernel_reserved", [{"page": 0, "pages": 0}]),
        ("kernel_reserved", [{"page": 2048, "pages": 1}]),
        ("kernel_reserved", [{"page": 0, "pages": 4096}]),
        ("kernel_reserved", {"page": 0, "pages": 1}),
        ("kernel_reserved", "none"),
        ("process_range", {"start": "0x200001", "pages": 2}),
        ("process_reserved", [{"page": 0, "pages": 3}]),
        ("process_reserved", [{"page": 1 << 26, "pages": 1}]),
        ("range_allocator", "first fit"),
        ("range_free", "parts"),
        ("range_max_order", 53),
        ("range_max_order", "ten"),
        ("process_reserved", [{"page": 0, "pages": 1 << 20}] * 2),
        ("range_free", "partial"),  # of a buddy system
        ("pat_register", 1 << 64),
        ("pat_register", "0x0005040600010402"),  # type 2 is reserved
        ("pat_register", "0x8000000000000006"),
        ("heap_classes", [8, 8]),
        ("heap_classes", [64, 8]),
        ("heap_classes", [0, 8]),
        ("heap_classes", 8),
        ("frame_free", "careless"),
        ("frame_free", 1),
        ("heap_alignment", 0),
        ("heap_alignment", 24),
        ("heap_alignment", "page"),
        ("heap_alignment", True),
        ("heap_arena", 4096),
        ("heap_arena", {"start": 4096, "bytes": 0}),
        ("heap_arena", {"start": (1 << 64) - 4096, "bytes": 4097}),
        ("heap_fragments", "true"),
        ("heap_fragments", 1),
        ("free_while_mapped", "ignore"),
        ("free_while_mapped", True),
        ("misuse", "ignore"),
        ("preset", "x86"),
        ("preset", 64),
        ("huge_pages", 1),
    ],
)
def test_impossible_geometry_is_refused_with_the_name_of_the_field(field: str, value: object) -> None:
    key = field.partition("[")[0]
    with pytest.raises(GeometryError, match=f"^{re.escape(field)}: ") as refusal:
        geometry_from({key: value})
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ({"kernel_range": {"start": 0}}, "kernel_range.pages"),
        ({"process_range": {"start": "zero", "pages": 1}}, "process_range.start"),
        ({"process_range": {"start": 0, "pages": 1, "page": 0}}, "process_range.page"),
        ({"kernel_reserved": [{"page": 0, "pages": 1}, {"page": 1}]}, "kernel_reserved[1].pages"),
        ({"heap_classes": [8, "sixteen"]}, "heap_classes[1]"),
        ({"heap_arena": {"start": 4096}}, "heap_arena.bytes"),
        ({"heap_arena": {"start": 4096, "bytes": "all"}}, "heap_arena.bytes"),
        ({"heap_arena": {"start": 4096, "bytes": 4096, "overhead": -1}}, "heap_arena.overhead"),
        ({"heap_arena": {"start": 4096, "bytes": 4096, "header": 16}}, "heap_arena.header"),
        ({"misuse": {"page.unmap": "forgive"}}, "misuse.page.unmap"),
        ({"misuse": {"page.unmap": 1}}, "misuse.page.unmap"),
        ({"misuse": {"page.unmapp": "ignore"}}, "misuse.page.unmapp"),
        ([], "geometry"),
        (None, "geometry"),
        ("x86", "preset"),
    ],
)
def test_ill_formed_geometry_is_refused_with_the_place(source: object, field: str) -> None:
    with pytest.raises(GeometryError) as refusal:
        geometry_from(source)
    assert refusal.value.field == field
    assert isinstance(refusal.value, ValueError)


@pytest.mark.parametrize(
    "value", [-1, 1 << 64, 1 << 20_000, "0x10000000000000000"], ids=["negative", "65 bits", "huge", "text"]
)
def test_number_has_64_bits(value: object) -> None:
    with pytest.raises(GeometryError, match=r"^frames: (-1|0x10{16}|0x10+\.\.\.) is not between 0 and 2\^64 - 1$"):
        number("frames", value)


def test_page_size_must_be_what_the_leaf_level_maps() -> None:
    with pytest.raises(GeometryError, match="page_size: a leaf of level 1 maps 4096 bytes"):
        geometry_from({"leaf_level": 1})


def test_a_buddy_range_begins_at_any_page_and_has_any_number() -> None:
    process = {"start": "0x600000", "pages": 13}
    geometry = geometry_from({"process_range": process, "process_reserved": [{"page": 1, "pages": 4}]})
    assert geometry.process_range == Range(0x600000, 13)
    assert geometry.process_range.root(1 << 21) == Range(0, 16)
    with pytest.raises(GeometryError, match="not a multiple of its 4 pages"):  # as addresses are
        geometry_from({"process_range": process, "process_reserved": [{"page": 4, "pages": 4}]})


RUNS = {"range_allocator": "runs"}


def test_ranges_of_runs_begin_at_any_page_and_have_any_number() -> None:
    kernel = {"start": "0xffffffff00200000", "pages": 13}
    reserved = [{"page": 1, "pages": 3}, {"page": 12, "pages": 1}]
    geometry = geometry_from(
        RUNS | {"kernel_range": kernel, "kernel_reserved": reserved, "process_range": {"start": "0x600000", "pages": 5}}
    )
    assert geometry.kernel_range == Range(0xFFFFFFFF00200000, 13)
    assert geometry.kernel_reserved == (Piece(1, 3), Piece(12, 1))
    assert geometry.process_range == Range(0x600000, 5)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kernel_range", {"start": "0xffffffff00000001", "pages": 2047}),
        ("kernel_range", {"start": "0xffffffff00000000", "pages": 0}),
        ("process_range", {"start": "0x7fffffe00000", "pages": 2}),
        ("kernel_reserved", [{"page": 2040, "pages": 9}]),
        ("kernel_reserved", [{"page": 5, "pages": 0}]),
        ("kernel_reserved", [{"page": 5, "pages": 3}, {"page": 7, "pages": 1}]),
        ("process_reserved", [{"page": 5, "pages": 1 << 63}]),
    ],
)
def test_ranges_of_runs_that_cannot_be(field: str, value: object) -> None:
    with pytest.raises(GeometryError) as fault:
        geometry_from(RUNS | {field: value})
    assert fault.value.field == field


def test_ranges_may_end_where_their_halves_end() -> None:
    kernel = {"start": "0xffff800000000000", "pages": 1 << 26}
    geometry = geometry_from({"kernel_range": kernel, "process_range": {"start": 0, "pages": 1 << 26}})
    assert geometry.kernel_range.start + geometry.kernel_range.pages * geometry.page_size == 1 << 64
