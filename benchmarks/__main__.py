"""`python -m benchmarks [NAME …]`: measure everything, or what is named, and print tables."""

from __future__ import annotations

import subprocess
import sys

NAMES = ("inference", "evaluation", "training", "media", "app", "compare", "pages", "explain", "explain_app")


def main() -> int:
    """Run each benchmark in a process of its own, so that none warms or fills another's memory."""
    wanted = sys.argv[1:] or list(NAMES)
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        print(f"error: no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    failed = 0
    for name in wanted:
        print(f"\n## {name}\n", flush=True)
        failed += subprocess.call([sys.executable, "-m", f"benchmarks.{name}"]) != 0
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
