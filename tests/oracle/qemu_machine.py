"""A running QEMU made for tests: what it answers on its QMP socket."""

from __future__ import annotations

import json

GREETING = b'{"QMP": {"version": {}, "capabilities": []}}\n'
REGISTERS = "RIP=0 RFL=0\nCR0=80050033 CR2=0 CR3={:016x} CR4=20\nEFER=0000000000000d00\n"


class Machine:
    """Answers each command as a machine with these words of memory does; what was asked of it is kept."""

    def __init__(self, words: dict[int, int], cr3: int, running: bool = True) -> None:
        self.words = words
        self.cr3 = cr3
        self.running = running
        self.asked: list[str] = []

    def answer(self, line: bytes) -> list[object]:
        request = json.loads(line)
        self.asked.append(request["execute"])
        if request["execute"] == "query-status":
            return [{"return": {"running": self.running}}]
        if request["execute"] != "human-monitor-command":
            return [{"event": "STOP"}, {"return": {}}]
        return [{"return": self.says(request["arguments"]["command-line"])}]

    def says(self, line: str) -> str:
        if line == "info registers -a":
            return REGISTERS.format(self.cr3)
        address = int(line.split()[-1], 16)
        if address >= 0x100000:
            return "Cannot access memory\r\n"
        words = [f"0x{self.words.get(address + 8 * place, 0):016x}" for place in range(512)]
        return "".join(f"{address:016x}: {' '.join(words[i : i + 2])}\r\n" for i in range(0, 512, 2))
