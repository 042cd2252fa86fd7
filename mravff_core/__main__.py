"""`python -m mravff_core COMMAND`."""

from __future__ import annotations

import sys

from mravff_core.cli import main
from mravff_core.freed_memory import keep_freed_memory

keep_freed_memory()
sys.exit(main())
