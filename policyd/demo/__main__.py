"""`python -m policyd.demo` runs the tour."""

from policyd.demo.run import main

raise SystemExit(main())
