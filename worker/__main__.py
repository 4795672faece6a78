"""`python -m worker` is `bouncekeeper`."""

import sys

from worker.cli import main

sys.exit(main())
