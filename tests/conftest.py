"""What all tests need."""

from __future__ import annotations

import signal

# A shell that starts a command in the background has it ignore interrupts, and so do the commands that tests start and
# interrupt: they would never end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
