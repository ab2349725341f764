"""`python -m policyd` is the `policyd` command."""

from policyd.cli.main import main

raise SystemExit(main())
