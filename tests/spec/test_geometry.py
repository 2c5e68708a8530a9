from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoracle.spec.geometry import PRESETS, preset
from memoracle.spec.geometry_keys import GeometryError, Piece, Range

KERNEL = 0xFFFFFFFF00000000
MIB = 1 << 20


def test_preset_of_2_mib_pages_holds_the_figures_of_the_contract() -> None:
    geometry = preset("x64-2m")
    assert (geometry.page_size, geometry.frames, geometry.kernel_image_frames) == (2 * MIB, 2048, 2)
    assert geometry.page_shift == 21
    assert geometry.kernel_range == Range(KERNEL, 2048)
    assert geometry.kernel_reserved == (Piece(0, 2), Piece(2047, 1))
    assert geometry.process_range == Range(0, 1 << 26)
    assert geometry.process_range.pages * geometry.page_size == 1 << 47
    assert (geometry.leaf_level, geometry.physical_address_bits) == (2, 52)
    assert geometry.pat_register == 0x0005040600010406
    assert geometry.heap_classes == (8, 64, 256, 1024, 262144)
    assert (geometry.frame_free, geometry.heap_alignment) == ("checked", "natural")


def test_preset_of_4_kib_pages_holds_the_figures_of_the_contract() -> None:
    geometry = preset("x64-4k")
    assert (geometry.page_size, geometry.frames, geometry.kernel_image_frames) == (4096, 1 << 26, 1024)
    assert geometry.page_shift == 12
    assert geometry.kernel_range == Range(KERNEL, 1 << 20)
    assert geometry.kernel_reserved == (Piece(0, 1024), Piece((1 << 20) - 512, 512))
    assert geometry.process_range == Range(0, 1 << 35)
    assert geometry.leaf_level == 1
    assert geometry.heap_classes == (8, 64, 256, 1024)


def test_geometry_is_judged_however_it_is_made() -> None:
    with pytest.raises(GeometryError, match=r"^pat_register: "):
        dataclasses.replace(preset("x64-2m"), pat_register=1 << 64)


@given(st.sampled_from(sorted(PRESETS)), st.integers(0, (1 << 64) - 1))
def test_frame_reached_holds_the_byte(name: str, address: int) -> None:
    geometry = preset(name)
    frame = geometry.frame_reached(address)
    if frame is None:
        assert address >= geometry.frames * geometry.page_size
    else:
        assert frame * geometry.page_size <= address < (frame + 1) * geometry.page_size
    assert geometry.frame_at(address) == (frame if address % geometry.page_size == 0 else None)


def test_frame_at_asks_for_the_first_byte_of_a_frame_that_is_reached() -> None:
    geometry = preset("x64-2m")
    assert geometry.frame_at(0x400000) == 2
    assert geometry.frame_at(0x400001) is None
    assert geometry.frame_at(2048 * 2 * MIB) is None
    assert geometry.frame_at(-2 * MIB) is None
    assert geometry.frame_reached(2048 * 2 * MIB - 1) == 2047


def test_page_at_asks_for_the_first_byte_of_a_page_in_the_range() -> None:
    area = Range(KERNEL, 4)
    assert [area.page_at(KERNEL + page * 4096, 4096) for page in range(-1, 5)] == [None, 0, 1, 2, 3, None]
    assert area.page_at(KERNEL + 1, 4096) is None


def test_process_0_is_the_kernel() -> None:
    geometry = preset("x64-2m")
    assert geometry.range_of(0) == geometry.kernel_range
    assert geometry.range_of(1) == geometry.range_of(77) == geometry.process_range
