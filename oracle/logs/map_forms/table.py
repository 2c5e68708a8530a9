"""All forms of memory maps that are read, and what tells a line with one of them from any other."""

from __future__ import annotations

import re

from memoracle.logs.map_forms.bios import FreeBsd, SeaBios
from memoracle.logs.map_forms.efi import Efi, UefiShell
from memoracle.logs.map_forms.firmware_files import FirmwareFiles
from memoracle.logs.map_forms.form import Form
from memoracle.logs.map_forms.limine import Limine
from memoracle.logs.map_forms.linux import Linux
from memoracle.logs.map_forms.loongson import LoongArch, Loongson
from memoracle.logs.map_forms.memblock import Memblock
from memoracle.logs.map_forms.multiboot import Multiboot
from memoracle.logs.map_forms.proc_iomem import ProcIomem
from memoracle.logs.map_forms.xen import Xen

FORMS: tuple[type[Form], ...] = (
    Linux,
    Xen,
    Multiboot,
    Limine,
    UefiShell,
    Efi,
    SeaBios,
    FreeBsd,
    Memblock,
    ProcIomem,
    FirmwareFiles,
    LoongArch,
    Loongson,
)
HINT = re.compile("|".join(form.hint for form in FORMS), re.IGNORECASE)
# What a line with a record or a heading has at least one of, in lower case: most lines of a log have none.
WORDS = (
    b"0x",
    b"bios-",
    b"ram map",
    b"e820",
    b"pages",
    b"memblock",
    b"lmb_dump",
    b"smap",
    b"mem_type",
    b"/type",
    b"efi:",
    b"entries",
    b"memory.c",
    b"reserved.c",
    b"&#",
)
NUMBER = re.compile(rb"[0-9a-f]{8}|/(?:start|end)\b")
KNOWN = (
    "Linux (BIOS-e820, user, Xen), the hypervisor Xen, Multiboot and GRUB's lsmmap, Limine, the UEFI shell's memmap, "
    "Linux's efi: mem, SeaBIOS, FreeBSD's SMAP, memblock, /proc/iomem, /sys/firmware/memmap, LoongArch, Loongson"
)
