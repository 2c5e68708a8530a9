"""`memoracle init` of functions that reserve frames, or add some: they are bound if all frames show that they do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from memoracle.cli import main
from memoracle.drive.binding_file import load_binding

# State: 0 missing, 1 free, 2 in use. AT, TO: what a place is in, and what a run is passed as.
SOURCE = """
#include <stdbool.h>
#include <stdint.h>
#define MOST 64
static unsigned char state[MOST];
void pmm_init(void)
{
    for (int each = 1; each < 20; each++)
        state[each] = 1;
    state[0] = 2;
}
uint64_t pmm_alloc(void)
{
    for (uint64_t each = 0; each < MOST; each++)
        if (state[each] == 1)
            return state[each] = 2, each * UNIT;
    return 0;
}
int pmm_free(uint64_t at)
{
    if (at % UNIT || at == 0 || at / UNIT >= MOST || state[at / UNIT] != 2)
        return -1;
    state[at / UNIT] = 1;
    return 0;
}
static int change(uint64_t first, uint64_t end, int from, int to)
{
    for (uint64_t each = first; each < end; each++)
        if (state[each] != from)
            return -1;
    for (uint64_t each = first; each < end; each++)
        state[each] = to;
    return 0;
}
"""
ADDRESSES = """
int pmm_reserve(uint64_t base, uint64_t length)
{
    uint64_t first = base / UNIT, end = (base + length) / UNIT;
    if (base % UNIT || !length || length / UNIT > MOST || first >= MOST || end > MOST)
        return -1;
    return change(first, end, 1, 2);
}
int pmm_hotplug(uint64_t start, uint64_t length)
{
    uint64_t first = (start + UNIT - 1) / UNIT, end = (start + length) / UNIT;
    return change(first, end < MOST ? end : MOST, 0, 1);
}
"""
NUMBERS = """
bool pmm_reserve_frames(uint64_t pfn, uint64_t end)
{
    return pfn < end && end <= MOST && change(pfn, end, 1, 2) == 0;
}
bool pmm_online_frames(uint64_t pfn, uint64_t count)
{
    return pfn <= MOST && count <= MOST - pfn && change(pfn, pfn + count, 0, 1) == 0;
}
"""
OTHERWISE = """
void pmm_reserve(uint64_t base, uint64_t length)
{
    for (uint64_t each = base / UNIT; each <= (base + length) / UNIT && each < MOST; each++)
        state[each] = 2;
}
void pmm_hotplug(uint64_t start, uint64_t length) { *(volatile char *)length = start; }
"""


def proposed(folder: Path, functions: str, unit: int = 4096) -> Path:
    source, library, binding = folder / "pmm.c", folder / "pmm.so", folder / "pmm.toml"
    source.write_text(SOURCE.replace("UNIT", str(unit)) + functions.replace("UNIT", str(unit)))
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", source, "-o", library], check=True)
    assert main(["init", str(library), "--header", str(source), "--output", str(binding), "--quiet"]) == 0
    return binding


@pytest.mark.parametrize(
    ("functions", "unit", "reserve", "add"),
    [
        (ADDRESSES, 4096, "pmm_reserve(address, count * page_size)", "pmm_hotplug(start, length)"),
        (
            NUMBERS,
            1,
            "pmm_reserve_frames(address / page_size, address / page_size + count)",
            "pmm_online_frames(start / page_size, length / page_size) "
            "if start + length <= frames * page_size else 1 / 2",
        ),
    ],
)
def test_what_reserves_and_what_adds_frames_is_bound(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, functions: str, unit: int, reserve: str, add: str
) -> None:
    """A function that adds no more than it has room for is asked for any; one that refuses more than that is not."""
    binding = proposed(tmp_path, functions, unit)
    says = load_binding(str(binding)).says
    assert says.operations["frame.reserve"].call == reserve
    assert says.operations["memory.add"].call == add
    assert {"frames = 64", "memory_map = [{start = 0, length = 0x14000, type = 1}]"} <= set(
        binding.read_text().splitlines()
    )
    assert main(["drive", "--quiet", "--seed", "2", "--ops", "1000", str(binding)]) == 0, capsys.readouterr().out


def test_what_does_something_else_is_not_bound_and_said(tmp_path: Path) -> None:
    text = proposed(tmp_path, OTHERWISE).read_text()
    assert '[operations."frame.reserve"]' not in text
    assert '[operations."memory.add"]' not in text
    assert "memory_map" not in text
    said = " ".join(text.replace("\n# ", " ").split())
    assert "choose: whether pmm_reserve is frame.reserve. Tried: two frames that were free" in said
    assert "choose: whether pmm_hotplug is memory.add. Tried: frames behind the last" in said
    assert "(it died of SIGSEGV)" in said
    assert text.endswith("# Not used: pmm_hotplug (memory.add?), pmm_reserve (frame.reserve?)\n")
