"""Where the program starts. Until a command can make something of an interrupt, it ends the program, without a word."""

from __future__ import annotations


def main() -> int:
    """Runs the command line, and returns its exit status."""
    try:
        import signal

        # Python's own handler would end an import with a traceback.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
    except KeyboardInterrupt:
        return 130  # as memoracle.console.exit_status has it
    from memoracle import cli

    return cli.main()
