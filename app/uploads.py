"""Uploaded files: streamed to disk, never whole in memory, removed once taken in."""

from __future__ import annotations

import secrets
import shutil
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from mravff_core.errors import MravffError

DEFAULT_LIMIT_BYTES = 2 << 30


class UploadError(MravffError):
    """A file that is not taken; `status` is what HTTP calls it."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Upload:
    """One file that has arrived whole: where it lies and what the sender called it."""

    path: Path
    name: str


class Uploads:
    """Files on their way from browsers into the workspace.

    Args:
        folder: emptied at once, since nothing in it can still be wanted.
        limit_bytes: larger files are refused.
    """

    def __init__(self, folder: Path, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._files: dict[str, list[Upload]] = {}
        shutil.rmtree(folder, ignore_errors=True)

    def issue(self) -> str:
        """A token that lets one browser session send files."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._files[token] = []
        return token

    async def receive(self, token: str, name: str, blocks: AsyncIterator[bytes], announced_bytes: int | None) -> Upload:
        """Store a file as it arrives; nothing stays behind if it does not arrive whole.

        Raises: UploadError for an unknown token, a file that is empty or too large, or a full disk.
        """
        if token not in self._files:
            raise UploadError("this page is out of date; reload it and send the file again", 403)
        if announced_bytes is not None and announced_bytes > self.limit_bytes:
            raise UploadError(self._too_large(name), 413)
        self.folder.mkdir(parents=True, exist_ok=True)
        # The suffix helps readers of containers; the rest of a sender's name never names a file here.
        path = self.folder / f"{secrets.token_hex(12)}{_suffix(name)}"
        received = 0
        try:
            with path.open("wb") as file:
                async for block in blocks:
                    received += len(block)
                    if received > self.limit_bytes:
                        raise UploadError(self._too_large(name), 413)
                    file.write(block)
            if announced_bytes is not None and received != announced_bytes:
                raise UploadError(f"{name}: only {received} of {announced_bytes} bytes arrived; send it again", 400)
            if not received:
                raise UploadError(f"{name}: the file is empty", 400)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise UploadError(f"{name}: could not be stored ({error.strerror or error})", 507) from error
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        upload = Upload(path, name)
        with self._lock:
            self._files[token].append(upload)
        return upload

    def take(self, token: str) -> list[Upload]:
        """Hand over a session's files that have arrived, each once; the taker removes them."""
        with self._lock:
            arrived = self._files.get(token, [])
            if arrived:
                self._files[token] = []
            return arrived

    def _too_large(self, name: str) -> str:
        return (
            f"{name}: larger than the limit of {self.limit_bytes / (1 << 30):.3g} GB; raise it with --upload-limit-gb"
        )


def _suffix(name: str) -> str:
    suffix = Path(name).suffix.lower()
    return suffix if suffix[1:].isalnum() and suffix.isascii() and len(suffix) <= 8 else ""
