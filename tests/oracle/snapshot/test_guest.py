"""A real QEMU runs a machine whose page tables are right in part: dumps of it, its own texts, and its socket agree."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from guest import LA57, MEMORY, PAE, QEMU, ROM, assembled, rom, running
from page_tables import HIGH, LINK, PageTables
from snapshot_command import Report, Snapshots

from memoracle.impl import pte
from memoracle.snapshot.qmp import connected

pytestmark = pytest.mark.skipif(
    QEMU is None or shutil.which("as") is None,
    reason="needs qemu-system-x86_64 and as, of Debian's packages qemu-system-x86 and binutils",
)
USER = LINK | pte.USER


class Spaces(PageTables):
    """Two right spaces, of which the first pages, and one for each fault."""

    def __init__(self) -> None:
        super().__init__()
        self.right = self.space()
        self.map(self.right, ROM, ROM)
        for page in range(8):
            self.map(self.right, HIGH + (page << 12), 0x100000 + (page << 12))
        self.map(self.right, HIGH + (1 << 30), 0, LINK | pte.EXECUTE_DISABLE | pte.GLOBAL, level=2)
        self.map(self.right, 0x400000, 0x180000, USER)
        self.other = self.user_space()
        self.half = self.user_space()
        self.half_entry = self.half + 8 * 300
        self.words[self.half_entry] = self.table() | LINK
        self.reserved = self.user_space()
        self.reserved_entry = self.map(self.reserved, 0x600000, 0x2000, USER, level=2)
        self.types = self.user_space()
        self.types_entry = self.map(self.types, 0x601000, 0x100000, USER | pte.CACHE_DISABLE)
        self.twice = self.user_space()
        self.twice_entry = self.entry(self.twice, 1 << 30, 2)
        self.words[self.twice_entry] = self.words[self.entry(self.twice, 0x400000, 2)]

    def user_space(self) -> int:
        """A space with the kernel half and a page of its own, each time another frame."""
        root = self.space(self.right)
        self.map(root, 0x400000, 0x180000 + self.next, USER)
        return root


@pytest.fixture(scope="module")
def spaces() -> Spaces:
    return Spaces()


@pytest.fixture(scope="module")
def socket(spaces: Spaces, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("guest")
    with running(folder, rom(assembled(folder), spaces.right, spaces.words)) as monitor:
        yield monitor


@pytest.fixture(scope="module")
def raw(socket: str) -> str:
    path = str(Path(socket).parent / "raw")
    with connected(socket) as link:
        link.execute("pmemsave", val=0, size=MEMORY, filename=path)
    return path


@pytest.fixture(scope="module")
def kdump(socket: str) -> str:
    path = str(Path(socket).parent / "kdump")
    with connected(socket) as link:
        link.execute("dump-guest-memory", paging=False, protocol=f"file:{path}", format="kdump-zlib")
    return path


@pytest.fixture(scope="module")
def core(socket: str) -> str:
    path = str(Path(socket).parent / "core")
    with connected(socket) as link:
        link.execute("dump-guest-memory", paging=False, protocol=f"file:{path}")
    return path


def text(socket: str, *commands: str) -> str:
    with connected(socket) as link:
        return "".join(f"(qemu) {each}\n{link.says(each)}" for each in commands)


def test_the_machines_tables_conform_however_they_are_read(
    snapshots: Snapshots, spaces: Spaces, socket: str, raw: str, core: str, kdump: str
) -> None:
    reports = [
        snapshots.run(*arguments, f"--cr3={spaces.other:#x}")
        for arguments in ([raw, f"--cr3={spaces.right:#x}"], [core], [kdump], ["--qmp", socket])
    ]
    assert [(each.status, each.document["verdict"]) for each in reports] == [(0, "conforms")] * 4
    assert {each.document["pages"] for each in reports} == {1 + 8 + 1 + 1 + 1}
    cr3 = [{each["cr3"] for each in report.document["spaces"]} for report in reports]
    assert cr3 == [{hex(spaces.right), hex(spaces.other)}] * 4
    warnings = [report.document["warnings"] for report in reports]
    assert warnings[0] == []
    assert ["does not page" in each for some in warnings[1:] for each in some] == [True] * 3  # the second processor


def test_registers_of_the_monitor_name_the_space(snapshots: Snapshots, spaces: Spaces, socket: str, raw: str) -> None:
    registers = Path(raw).parent / "registers"
    registers.write_text(text(socket, "info registers -a"), encoding="utf-8")
    report = snapshots.run(raw, "--registers", str(registers))
    assert [each["cr3"] for each in report.document["spaces"]] == [hex(spaces.right)]


def test_the_walk_finds_what_qemu_finds(snapshots: Snapshots, spaces: Spaces, socket: str, raw: str) -> None:
    walked = snapshots.run(raw, f"--cr3={spaces.right:#x}").document["mappings"]
    said = snapshots.text(text(socket, "info tlb", "info registers")).document["mappings"]
    keys = ("virtual", "physical", "bytes", "writable", "executable", "global")
    assert [[each[key] for key in keys] for each in walked] == [[each[key] for key in keys] for each in said]
    ranges = snapshots.text(text(socket, "info mem", "info registers")).document["mappings"]
    assert [(each["virtual"], each["bytes"]) for each in ranges] == [
        (each["virtual"], each["bytes"]) for each in walked
    ]


def test_two_texts_of_one_kernel_half_conform(snapshots: Snapshots, socket: str) -> None:
    report = snapshots.text(text(socket, "info tlb", "info tlb", "info registers"))
    assert (report.status, len(report.document["spaces"])) == (0, 2)


def fault(snapshots: Snapshots, raw: str, spaces: Spaces, root: int) -> Report:
    return snapshots.run(raw, f"--cr3={spaces.right:#x}", f"--cr3={root:#x}")


def test_seeded_faults_are_named_where_they_are(snapshots: Snapshots, spaces: Spaces, raw: str) -> None:
    half = fault(snapshots, raw, spaces, spaces.half)
    virtual = f"{(1 << 64) - (212 << 39):#x}"
    assert half.broken == [("kernel_half.equal-at-rest", 1, virtual, 4, hex(spaces.half_entry))]
    reserved = fault(snapshots, raw, spaces, spaces.reserved)
    assert reserved.broken == [("pte.no-reserved-bit-is-set", 1, "0x600000", 2, hex(spaces.reserved_entry))]
    types = fault(snapshots, raw, spaces, spaces.types)
    assert types.broken == [("snapshot.one-memory-type", 1, "0x601000", 1, hex(spaces.types_entry))]
    twice = fault(snapshots, raw, spaces, spaces.twice)
    assert twice.broken == [("tables.walks-stay-in-place", 1, "0x40000000", 2, hex(spaces.twice_entry))]
    assert {each.status for each in (half, reserved, types, twice)} == {1}


def test_what_pmemsave_left_out_is_listed(snapshots: Snapshots, spaces: Spaces, socket: str) -> None:
    path = str(Path(socket).parent / "part")
    with connected(socket) as link:
        link.execute("pmemsave", val=spaces.right, size=0x2000, filename=path)
    report = snapshots.run(path, f"--base={spaces.right:#x}", f"--cr3={spaces.right:#x}")
    assert (report.status, report.document["verdict"]) == (3, "unknown")
    assert report.document["unreadable"][0]["level"] in (3, 4)


def test_a_machine_of_five_levels_is_read_from_its_tcp_port_and_its_dump(snapshots: Snapshots, tmp_path: Path) -> None:
    tables = PageTables(levels=5)
    root, far = tables.space(), 0x00A5_8123_4560_0000
    tables.map(root, ROM, ROM)
    tables.map(root, far, 0x180000, USER)
    options = ("-cpu", "max", "-qmp", "tcp:127.0.0.1:0,server=on,wait=off")
    with running(tmp_path, rom(assembled(tmp_path), root, tables.words, PAE | LA57), *options) as monitor:
        path = str(tmp_path / "core")
        with connected(monitor) as link:
            link.execute("dump-guest-memory", paging=False, protocol=f"file:{path}")
            sockets = [each["filename"] for each in link.execute("query-chardev")]
        [port] = [found[1] for each in sockets if (found := re.search(r"tcp:(127\.0\.0\.1:[0-9]+)", each))]
        reports = [snapshots.run("--qmp", port), snapshots.run(path)]
    for report in reports:
        assert (report.status, report.document["verdict"]) == (0, "conforms")
        assert [each["virtual"] for each in report.document["mappings"]] == [hex(ROM), hex(far)]
