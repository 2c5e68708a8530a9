"""The page attribute table, held to the values that the Intel SDM and Linux give."""

from __future__ import annotations

import pytest

from memoracle.impl import pat as code
from memoracle.spec import pat
from memoracle.spec.geometry import PRESETS
from memoracle.spec.geometry_keys import GeometryError
from memoracle.trace.geometry import geometry_from

WB, WT, WC, WP, UC, UC_MINUS = 6, 4, 1, 5, 0, 7
TABLES = {
    # Intel SDM volume 3, table 11-12: memory type setting of PAT entries following a power-up or reset
    "at reset": (0x0007040600070406, (WB, WT, UC_MINUS, UC, WB, WT, UC_MINUS, UC)),
    # Linux, arch/x86/mm/pat/memtype.c: WB WC UC- UC, WB WP UC- WT
    "Linux": (0x0407050600070106, (WB, WC, UC_MINUS, UC, WB, WP, UC_MINUS, WT)),
    # The same on processors whose fourth entry is broken: WB WC UC- UC, twice
    "Linux, an old processor": (0x0007010600070106, (WB, WC, UC_MINUS, UC) * 2),
    # Xen, XEN_MSR_PAT of xen/arch/x86/include/asm/processor.h
    "Xen": (0x0000050100070406, (WB, WT, UC_MINUS, UC, WC, WP, UC, UC)),
    "the presets": (PRESETS["x64-2m"].pat_register, (WB, WT, WC, UC, WB, WT, WP, UC)),
}


@pytest.mark.parametrize(("register", "types"), TABLES.values(), ids=TABLES.keys())
def test_known_values_decode_as_they_should(register: int, types: tuple[int, ...]) -> None:
    state = pat.Pat(register)
    assert tuple(pat.type_at(register, index) for index in pat.INDEXES) == types
    assert all(clause(state, *((0,) if clause.points else ())) for clause in pat.LEGAL)
    assert code.accepts(register)
    assert tuple(code.decode(register, index) for index in pat.INDEXES) == types


def test_what_linux_looks_up() -> None:
    linux = TABLES["Linux"][0]
    # _PAGE_CACHE_MODE_WB, WC, UC_MINUS, UC, WP and WT: bits PAT, PCD and PWT of arch/x86/include/asm/pgtable_types.h
    assert [code.select(linux, kind, False) for kind in (WB, WC, UC_MINUS, UC, WP, WT)] == [0, 1, 2, 3, 5, 7]
    assert [code.select(linux, kind, True) for kind in (WB, WC, UC_MINUS, UC, WP, WT)] == [0, 1, 2, 3, None, None]


@pytest.mark.parametrize("kind", [2, 3, 8, 0x0E, 0x46, 0x86, 0xFF])
@pytest.mark.parametrize("index", [0, 3, 7])
def test_other_bytes_are_refused(kind: int, index: int) -> None:
    register = 0x0007040600070406 & ~(0xFF << 8 * index) | kind << 8 * index
    assert not code.accepts(register)
    with pytest.raises(GeometryError, match=f"entry {index} holds {kind:#x}, which is not a memory type"):
        geometry_from({"pat_register": register})


def test_there_are_six_memory_types() -> None:
    assert [kind for kind in range(256) if pat.is_type(kind)] == [0, 1, 4, 5, 6, 7]
