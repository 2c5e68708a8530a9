"""What `memoracle init` writes is a binding that drives, and finds a fault, without an edit."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from random import Random

import pytest

from memoracle.cli import main
from memoracle.drive.binding_file import load_binding
from memoracle.proposals.c_functions import read_header
from memoracle.proposals.debug_info import header_of
from memoracle.proposals.operations import mapped

HERE = Path(__file__).parent
SOURCE = HERE / "allocators.c"
BLOCKS, POOL = (HERE.parent / "drive" / name for name in ("blocks.c", "pool.c"))


FILLED_IN = """
static char used[1024];
void pmm_init(void) { used[0] = 1; }
unsigned long pmm_alloc(void)
{
    for (unsigned long frame = 1; frame < 1024; frame++)
        if (!used[frame])
            return used[frame] = 1, frame * 4096;
    return 0;
}
int pmm_free(unsigned long at)
{
    if (at % 4096 || at == 0 || at / 4096 >= 1024 || !used[at / 4096])
        return -1;
    return used[at / 4096] = 0;
}
"""


ONE_POOL = """
#include <stdint.h>
static unsigned char used[64];
static uint64_t start;
void pa_init(uint64_t base) { start = base; }
uint64_t pa_alloc_range(unsigned long n)
{
    for (unsigned long first = 0, end = 0; n && n <= 64 && end < 64; end++) {
        if (used[end])
            first = end + 1;
        else if (end + 1 - first == n) {
            for (unsigned long each = first; each <= end; each++)
                used[each] = 1;
            return start + first * 4096;
        }
    }
    return ~0ull;
}
uint64_t pa_alloc(void) { return pa_alloc_range(1); }
int pa_free_range(uint64_t at, unsigned long n)
{
    uint64_t first = (at - start) / 4096;
    if (at % 4096 || at < start || n == 0 || first >= 64 || n > 64 - first)
        return -1;
    for (unsigned long each = first; each < first + n; each++)
        if (!used[each])
            return -1;
    for (unsigned long each = first; each < first + n; each++)
        used[each] = 0;
    return 0;
}
int pa_free(uint64_t at) { return pa_free_range(at, 1 + TOO_MANY); }
"""


COUNTED = """
int fr_reserve(unsigned long base, unsigned long count) { return base || count ? -1 : 0; }
int fr_hotplug(unsigned long base, unsigned long length) { return base || length ? -1 : 0; }
void fr_dump(void) {}
static unsigned long frames;
static unsigned char used[4096];
void fr_init(unsigned long nframes) { frames = nframes; }
long fr_alloc(void)
{
    for (unsigned long each = 0; each < frames; each++)
        if (!used[each])
            return used[each] = 1, each * 4096;
    return -1;
}
"""


TYPES = """
struct inner { int of[3]; const char *const name; void (*call)(int, struct inner *); };
typedef struct { struct inner inner; union { int a; long b; } either; unsigned bits : 3; } outer_t;
enum amount { FEW, MANY = 7 };
__attribute__((noreturn)) void take(outer_t *outer, int (*call)(void *, char), enum amount amount, struct inner inner,
                                    const char *text, volatile unsigned long number, void *restrict at, _Bool flag)
{
    for (;;)
        ;
}
"""


def compiled(folder: Path, source: Path, *options: str) -> str:
    path = folder / "allocator.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-DWASTE=0", *options, source, "-o", path], check=True)
    return str(path)


def proposed(folder: Path, library: str, *options: str) -> Path:
    path = folder / "proposed.toml"
    assert main(["init", library, *options, "--output", str(path), "--quiet"]) == 0
    load_binding(str(path))
    return path


def driven(capsys: pytest.CaptureFixture[str], binding: Path, ops: int = 1500) -> tuple[int, dict[str, object]]:
    status = main(["drive", "--format", "json", "--quiet", "--seed", "3", "--ops", str(ops), str(binding)])
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("source", "which", "operations", "says"),
    [
        (SOURCE, 1, {"frame.allocate", "frame.free", "frame.free_count", "frame.is_free"}, 'panic = "refuse"'),
        (SOURCE, 2, {"heap.new", "heap.delete"}, "heap = storage("),
        (SOURCE, 3, {"heap.new", "heap.delete", "heap.resize"}, '"void *sbrk(intptr_t increment)" = "sbrk(increment)"'),
        (SOURCE, 4, {"range.allocate", "range.free"}, 'start = "0xffffc90000000000", pages = 300'),
        (SOURCE, 5, {"frame.allocate", "frame.free"}, 'result = "value - base"'),
        (SOURCE, 6, {"frame.allocate", "frame.free", "frame.free_count"}, '"pmm_init_region(0, memory_bytes)"'),
        (SOURCE, 7, {"frame.allocate", "frame.free"}, 'call = "free_page(pfn_to_page(address / page_size))"'),
        (SOURCE, 8, {"frame.allocate", "frame.free"}, 'end = "memory"'),
        (SOURCE, 9, {"heap.new", "heap.delete"}, '"heap = heap_create_with_pool(room, memory, memory_bytes)"'),
        (SOURCE, 10, {"process.create", "process.exit", "range.allocate", "range.free"}, "vm_alloc(process, pages)"),
        (SOURCE, 11, {"process.create", "process.exit", "range.allocate"}, "kernel_space = space_create()"),
        (BLOCKS, 0, {"frame.allocate", "frame.free"}, "frame_max_order = 5"),
        (POOL, 0, {"heap.new"}, 'fails = "value != 0"'),
    ],
)
def test_what_is_proposed_drives_without_an_edit(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, source: Path, which: int, operations: set[str], says: str
) -> None:
    library = compiled(tmp_path, source, f"-DWHICH={which}")
    header = tmp_path / "header.c"
    header.write_text(source.read_text().replace("#if WHICH", f"#define WHICH {which}\n#if WHICH"))
    binding = proposed(tmp_path, library, "--header", str(header))
    assert says in binding.read_text()
    status, document = driven(capsys, binding)
    assert (status, document["divergences"]) == (0, [])
    coverage = document["coverage"]
    assert isinstance(coverage, dict)
    assert operations <= coverage["operations"].keys()


def test_a_fault_is_found_without_an_edit(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    library = compiled(tmp_path, SOURCE, "-DWHICH=1", "-DFAULT=WRONG_MASK")
    header = tmp_path / "header.c"
    header.write_text(f"#define WHICH 1\n{SOURCE.read_text()}")
    status, document = driven(capsys, proposed(tmp_path, library, "--header", str(header)), ops=200)
    assert (status, document["verdict"]) == (1, "diverges")


def test_a_library_that_is_told_how_many_frames_there_are_is_told_those_of_the_geometry(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """So a smaller machine is one option: a count taken from the memory stayed as it was, and each call diverged."""
    source = tmp_path / "counted.c"
    source.write_text(COUNTED)
    binding = proposed(tmp_path, compiled(tmp_path, source), "--header", str(source))
    assert '"fr_init(frames)"' in binding.read_text()
    assert "\n# Not used: fr_dump, fr_hotplug (memory.add?), fr_reserve (frame.reserve?)\n" in binding.read_text()
    (tmp_path / "small.toml").write_text('preset = "x64-4k"\nframes = 4\nnever_free = []\n')
    options = ["--cover", "--geometry", str(tmp_path / "small.toml"), "--format", "json", "--quiet"]
    assert main(["drive", *options, str(binding)]) == 0
    assert json.loads(capsys.readouterr().out)["divergences"] == []


@pytest.mark.parametrize(
    ("declared", "operations"),
    [
        ("void *hp_alloc(size_t n); int hp_free(void *q);", {"heap.new", "heap.delete"}),
        ("void *heap_alloc(size_t n); int heap_free(void *q);", {"heap.new", "heap.delete"}),
        ("void *page_alloc(size_t n); int page_free(void *q);", {"frame.allocate", "frame.free"}),
        ("uint64_t hp_alloc(size_t n); int hp_free(uint64_t q);", {"frame.allocate", "frame.free"}),
    ],
)
def test_n_is_a_number_of_bytes_where_a_function_gives_room_as_malloc_does(declared: str, operations: set[str]) -> None:
    assert mapped(list(read_header(declared).functions.values())).guesses.keys() == operations


@pytest.mark.parametrize(("too_many", "status"), [(0, 0), (1, 1)])
def test_ranges_of_the_memory_that_frames_have_are_runs_of_frames(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, too_many: int, status: int
) -> None:
    source = tmp_path / "pool.c"
    source.write_text(ONE_POOL)
    library = compiled(tmp_path, source, f"-DTOO_MANY={too_many}")
    binding = proposed(tmp_path, library, "--header", str(source))
    says = binding.read_text()
    assert 'frame_allocator = "runs"' in says
    assert "tried: pa_alloc_range hands out the frames of pa_alloc, and none when these have run out" in says
    assert 'call = "pa_alloc() if count == 1 else pa_alloc_range(count)"' in says
    assert 'call = "pa_free(address) if count == 1 else pa_free_range(address, count)"' in says
    assert "range.allocate" not in says
    assert driven(capsys, binding)[0] == status


def test_without_a_preprocessor_the_first_branches_are_read(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = compiled(tmp_path, SOURCE, "-DWHICH=1")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    binding = proposed(tmp_path, library, "--header", str(SOURCE))
    assert "typedef uint64_t phys_addr_t;" in binding.read_text()
    assert "results are addresses, 0x" in binding.read_text()
    assert driven(capsys, binding, 200)[0] == 0


def test_the_kernels_pages_are_counted_from_its_range(tmp_path: Path) -> None:
    source = tmp_path / "kernel.c"
    source.write_text(
        "int kernel_pages_allocate(unsigned pages) { return pages ? 0 : -1; }\n"
        "int kernel_pages_free(unsigned first, unsigned pages) { return first < pages ? 0 : -1; }\n"
    )
    text = proposed(tmp_path, compiled(tmp_path, source), "--header", str(source)).read_text()
    assert 'result = "value * page_size + upper"' in text
    assert 'call = "kernel_pages_free((address - upper) / page_size, pages)"' in text
    assert 'kernel_range = {start = "0xffffffff00000000", pages = 1024}' in text


TABLES = """
#include <stdint.h>
static uint64_t frames[4096];
void paging_init(void) { frames[0] = 0; }
int vmm_map_page(uint64_t virt, uint64_t phys, unsigned flags)
{
    if (virt / 4096 >= 4096 || virt % 4096 || phys % 4096 || frames[virt / 4096])
        return -1;
    frames[virt / 4096] = phys | 1 | flags;
    return 0;
}
int vmm_unmap_page(uint64_t virt)
{
    if (virt / 4096 >= 4096 || virt % 4096 || !frames[virt / 4096])
        return -1;
    return frames[virt / 4096] = 0;
}
uint64_t vmm_virt_to_phys(uint64_t virt) { return virt / 4096 < 4096 ? frames[virt / 4096] & -4096 : 0; }
"""


def test_page_tables_are_known_by_verbs_and_parameters(tmp_path: Path) -> None:
    source = tmp_path / "paging.c"
    source.write_text(TABLES)
    binding = proposed(tmp_path, compiled(tmp_path, source), "--header", str(source))
    says = load_binding(str(binding)).says
    assert {name: each.call for name, each in says.operations.items()} == {
        "page.map": "vmm_map_page(virtual, physical, 0)",
        "page.unmap": "vmm_unmap_page(virtual)",
        "page.translate": "vmm_virt_to_phys(virtual)",
    }
    assert says.operations["page.map"].fails == "value != 0"
    assert says.operations["page.translate"].result == "null if value == 0 else value"
    assert says.start == ["paging_init()"]
    assert "choose: what flags is; 0 is passed" in binding.read_text()


def test_what_else_an_operation_may_be_is_declared(tmp_path: Path) -> None:
    source = tmp_path / "two.c"
    source.write_text(f"{FILLED_IN}\nunsigned long pmm_alloc_low(void) {{ return pmm_alloc(); }}\n")
    text = proposed(tmp_path, compiled(tmp_path, source), "--header", str(source)).read_text()
    assert "choose: it may also be pmm_alloc_low" in text
    assert "\nunsigned long pmm_alloc_low(void);" in text


def test_names_alone_say_something(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    binding = proposed(tmp_path, compiled(tmp_path, SOURCE, "-DWHICH=1"))
    text = binding.read_text()
    assert "they are guessed from the names" in text.replace("\n# ", " ")
    assert 'call = "pmm_alloc_page()"' in text
    assert driven(capsys, binding, 200)[0] == 0


@pytest.mark.parametrize(
    ("which", "says"),
    [
        (2, "buddy_t *heap, size_t size"),
        (6, '"pmm_init(memory_bytes)",\n    "pmm_init_region(0, memory_bytes)"'),
        (7, "unsigned int gfp_t"),
        (9, "heap_create_with_pool(room, memory, memory_bytes)"),
    ],
)
def test_debug_information_says_what_a_header_would(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, which: int, says: str
) -> None:
    binding = proposed(tmp_path, compiled(tmp_path, SOURCE, "-g", f"-DWHICH={which}"))
    assert says in binding.read_text()
    status, document = driven(capsys, binding)
    assert (status, document["divergences"]) == (0, [])


def test_all_types_of_debug_information_are_read(tmp_path: Path) -> None:
    source = tmp_path / "types.c"
    source.write_text(TYPES)
    text = header_of(Path(compiled(tmp_path, source, "-g")))
    assert text is not None
    header = read_header(text)
    assert not header.unread
    [taken] = header.functions.values()
    kinds = [each.type.kind for each in taken.parameters]
    assert kinds == ["pointer", "pointer", "enum", "struct", "pointer", "integer", "pointer", "bool"]
    assert header.constants == {"FEW": 0, "MANY": 7}
    assert (taken.returns.kind, taken.returns_never) == ("void", True)


def test_what_a_compilers_runtime_has_is_not_needed_of_a_kernel(tmp_path: Path) -> None:
    source = tmp_path / "runtime.c"
    calls = {"_Unwind_Backtrace": "void *, void *", "_Znwm": "unsigned long"}  # in C++ the latter is operator new
    declared = "".join(f"void *{name}({types});\n" for name, types in calls.items())
    source.write_text(f"{FILLED_IN}{declared}void *use(void) {{ return _Unwind_Backtrace(_Znwm(1), 0); }}\n")
    library = compiled(tmp_path, source, "-Wl,--no-as-needed,-lgcc_s,-l:libstdc++.so.6")
    text = proposed(tmp_path, library, "--header", str(source)).read_text()
    assert "[operations" in text
    assert [name for name in calls if name in text] == []


def test_no_library_is_loaded_to_see_what_it_has(tmp_path: Path) -> None:
    """A sanitizer's ends a process that it does not come first in."""
    source = tmp_path / "sanitized.c"
    source.write_text(FILLED_IN)
    binding = proposed(tmp_path, compiled(tmp_path, source, "-fsanitize=address"), "--header", str(source))
    assert "pmm_alloc()" in binding.read_text()


def test_a_target_that_does_not_start_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source = tmp_path / "broken.c"
    source.write_text("void pmm_init(void) { __builtin_trap(); }\nlong pmm_alloc(void) { return 1; }\n")
    binding = proposed(tmp_path, compiled(tmp_path, source), "--header", str(source))
    assert "choose: tried: it does not start: it died of SIGILL" in binding.read_text()


def test_without_a_library_a_binding_to_fill_in_is_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["init"]) == 0
    text = capsys.readouterr().out
    (tmp_path / "allocator.toml").write_text(text)
    binding = load_binding(str(tmp_path / "allocator.toml"))
    assert set(binding.says.operations) == {"frame.allocate", "frame.free"}
    (tmp_path / "allocator.c").write_text(FILLED_IN)
    assert compiled(tmp_path, tmp_path / "allocator.c") == str(tmp_path / "allocator.so")
    assert driven(capsys, tmp_path / "allocator.toml")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["no.so"], "no.so: cannot read"),
        (["text"], "text: this is no shared library"),
        (["cut.so"], "cut.so: this is no shared library"),
        (["allocator.so", "--header", "no.h"], "no.h: cannot read"),
        (["allocator.so", "--header", "allocator.so"], "allocator.so: this is no header"),
        (["allocator.so", "--header", "text"], "text: it declares no function"),
        (["allocator.so", "--output", "text"], "text: it exists"),
        (["allocator.so", "--output", "no/folder.toml"], "no/folder.toml: No such file"),
        (["--header", "text"], "without its library"),
    ],
)
def test_what_cannot_be_read_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text('int { ( ; "\\" }')
    whole = Path(compiled(tmp_path, POOL)).read_bytes()
    (tmp_path / "cut.so").write_bytes(whole[: len(whole) // 4])
    assert main(["init", *arguments]) == 2
    message = capsys.readouterr().err
    assert says in message
    assert "internal error" not in message


def test_a_damaged_library_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    whole = Path(compiled(tmp_path, POOL)).read_bytes()
    random = Random(1)
    for _ in range(15):
        damaged = bytearray(whole)
        for _ in range(8):
            damaged[random.randrange(0x400)] = random.randrange(256)
        (tmp_path / "damaged.so").write_bytes(damaged)
        assert main(["init", str(tmp_path / "damaged.so")]) in (0, 2)
        assert "internal error" not in capsys.readouterr().err
