"""Browser modules of a folder, addressed by a hash of all of them, so that no stale mix can load."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css"}


class Assets:
    """The `.js` and `.css` files of one folder.

    Args:
        folder: where they lie; read when first asked for.
        base: gives the address under which the server offers them, without a final slash.
        trusted_s: for how long a look at the files holds; every run of a script asks for addresses.
    """

    def __init__(self, folder: Path, base: Callable[[], str], *, trusted_s: float = 3.0) -> None:
        self._folder = folder
        self._base = base
        self._trusted_s = trusted_s
        self._seen: tuple[float, str] | None = None

    def get(self, name: str) -> tuple[bytes, str] | None:
        """Content and media type of one file; None where there is no such file."""
        path = self._folder / name
        if path.parent != self._folder or path.suffix not in MEDIA_TYPES or not path.is_file():
            return None
        return path.read_bytes(), MEDIA_TYPES[path.suffix]

    def url(self, name: str) -> str:
        """Address of one file; it changes whenever any of the files does."""
        return f"{self._base()}/{self.version()}/{name}"

    def version(self) -> str:
        """Hash over all files, by their names, sizes and times of writing."""
        now_s = time.monotonic()
        if self._seen is None or now_s - self._seen[0] >= self._trusted_s:
            self._seen = (now_s, self._look())
        return self._seen[1]

    def _look(self) -> str:
        digest = hashlib.sha256()
        for path in sorted(self._folder.iterdir()):
            if path.suffix in MEDIA_TYPES:
                stat = path.stat()
                digest.update(f"{path.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
        return digest.hexdigest()[:16]
