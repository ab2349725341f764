"""`python -m policyd` is `policyd`."""

import sys

from policyd.cli.main import main

sys.exit(main())
