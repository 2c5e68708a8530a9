"""`python -m memoracle` is the command `memoracle`."""

from memoracle.cli import main

raise SystemExit(main())
