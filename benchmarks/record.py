"""`python -m benchmarks.record PLACE EVENTS`: writes a trace of the workload at this place of the list."""

from __future__ import annotations

import sys

from benchmarks.workloads import WORKLOADS


def main() -> None:
    workload, events = WORKLOADS[int(sys.argv[1])], int(sys.argv[2])
    sys.stdout.buffer.write(workload.header())
    sys.stdout.buffer.writelines(workload.lines(events))


if __name__ == "__main__":
    main()
