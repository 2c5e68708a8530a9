"""`python -m memoracle` is the command `memoracle`."""

try:
    from memoracle.start import main

    status = main()
except KeyboardInterrupt:
    status = 130
raise SystemExit(status)
