#!/bin/sh
# Make sure that the browser tests find a Chromium: one that is here, else Debian's
# package, else Playwright's own download, else a clear failure.
# Usage: find_browser.sh PYTHON
set -u
python=$1

if [ -n "${CHROMIUM:-}" ] && [ -x "$CHROMIUM" ]; then exit 0; fi
for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if "$python" -c 'import pathlib, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as p: sys.exit(not pathlib.Path(p.chromium.executable_path).is_file())' 2>/dev/null; then exit 0; fi

if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "No Chromium found; installing Debian's package"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null
    if command -v chromium >/dev/null 2>&1; then exit 0; fi
fi
echo "No Chromium found; asking Playwright for its own"
if "$python" -m playwright install chromium; then exit 0; fi
echo "No Chromium for the browser tests: install one (on Debian: apt-get install chromium) or set CHROMIUM=/path/to/it" >&2
exit 1
