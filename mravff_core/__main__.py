"""`python -m mravff_core COMMAND`."""

from __future__ import annotations

import sys

from mravff_core.cli import main

sys.exit(main())
