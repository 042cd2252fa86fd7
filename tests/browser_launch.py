"""Start the Chromium that this machine has, for tests and benchmarks that drive a browser."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# No sandbox: containers run as root. The rest keeps the browser from fetching anything of its own.
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
]
# The player lives in a shadow root, which `document.querySelector` does not look into.
FIND_PLAYER = """
window.__find = () => {
  const search = (root) => {
    const found = root.querySelector('[data-testid="player"]');
    if (found) return found.__player;
    for (const node of root.querySelectorAll("*")) {
      const inner = node.shadowRoot && search(node.shadowRoot);
      if (inner) return inner;
    }
    return null;
  };
  return search(document);
};
"""


def find_chromium() -> str | None:
    """Path of a browser: $CHROMIUM, else one on PATH; None lets Playwright take its own download."""
    wanted = os.environ.get("CHROMIUM")
    if wanted and Path(wanted).is_file():
        return wanted
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def launch_chromium(playwright: Any, **options: Any) -> Any:
    """A headless browser from a running `sync_playwright()`; the caller closes it."""
    extra = options.pop("args", [])
    return playwright.chromium.launch(executable_path=find_chromium(), args=[*ARGUMENTS, *extra], **options)
