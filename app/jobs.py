"""Long work outside the script thread, with progress and cancel.

Every kind of work has a queue and a thread of its own, so that a quick detection never
waits for an hour of video. Work asked for twice under one name is done once.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from mravff_core.errors import CancelledError, MravffError

State = Literal["waiting", "running", "done", "failed", "cancelled"]
_ENDED = ("done", "failed", "cancelled")
_KEEP_ENDED = 100
# How often somebody who waits for long work looks whether the queue was closed.
_LOOK_S = 1.0
log = logging.getLogger(__name__)


@dataclass
class Job:
    """One piece of work.

    Attributes:
        kind: which queue it waits in.
        name: equal names are one piece of work.
        title: for people.
        state, share, stage: how far it is; `share` from 0 to 1.
        result: what the work returned, once done.
        error: one sentence, once failed.
    """

    kind: str
    name: str
    title: str
    number: int
    state: State = "waiting"
    share: float = 0.0
    stage: str = ""
    result: Any = None
    error: str = ""
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)
    _end: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in _ENDED

    @property
    def cancelled(self) -> bool:
        """Whether somebody wants it to stop."""
        return self._stop.is_set()

    def cancel(self) -> None:
        """Ask it to stop; waiting work never begins."""
        self._stop.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end, for a while at most. Returns: whether it has ended."""
        return self._end.wait(timeout_s)

    def report(self, share: float, stage: str = "") -> None:
        """Say how far it is."""
        self.share = min(1.0, max(0.0, share))
        self.stage = stage or self.stage


Work = Callable[[Job], Any]


class JobQueue:
    """Runs work of several kinds, one piece of a kind at a time, first come, first served."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[str, deque[tuple[Job, Work]]] = {}
        self._jobs: list[Job] = []
        self._numbers = itertools.count(1)
        self.closed = False

    def submit(self, kind: str, name: str, title: str, work: Work) -> Job:
        """Queue work, or return the job of that name that has not ended.

        Args:
            kind: which queue.
            work: called with its job, which it reports to and asks whether to stop.
        """
        with self._changed:
            for job in self._jobs:
                if job.name == name and not job.ended and not job.cancelled:
                    return job
            job = Job(kind, name, title, next(self._numbers))
            self._jobs = [*self._forget_old(), job]
            if kind not in self._waiting:
                self._waiting[kind] = deque()
                threading.Thread(target=self._run, args=(kind,), name=f"jobs-{kind}", daemon=True).start()
            self._waiting[kind].append((job, work))
            self._changed.notify_all()
            return job

    def find(self, name: str) -> Job | None:
        """The latest job of that name."""
        return next((job for job in reversed(self._jobs) if job.name == name), None)

    def of(self, kind: str) -> list[Job]:
        """Jobs of one kind, latest first."""
        return [job for job in reversed(self._jobs) if job.kind == kind]

    def forget(self, job: Job) -> None:
        """Drop an ended job from all lists."""
        with self._changed:
            self._jobs = [other for other in self._jobs if other is not job or not job.ended]

    def wait_until_idle(self) -> bool:
        """Wait until no work waits or is under way. Returns: whether there can be more, False once closed."""
        while not self.closed and (busy := [job for job in self._jobs if not job.ended]):
            busy[0].wait(_LOOK_S)
        return not self.closed

    def close(self) -> None:
        """Stop all work and all threads."""
        with self._changed:
            self.closed = True
            for job in self._jobs:
                job.cancel()
            self._changed.notify_all()

    def _forget_old(self) -> list[Job]:
        ended = [job for job in self._jobs if job.ended]
        old = {id(job) for job in ended[: max(0, len(ended) - _KEEP_ENDED)]}
        return [job for job in self._jobs if id(job) not in old]

    def _run(self, kind: str) -> None:
        while True:
            with self._changed:
                while not self._waiting[kind] and not self.closed:
                    self._changed.wait()
                if self.closed:
                    return
                job, work = self._waiting[kind].popleft()
            _perform(job, work)


def _perform(job: Job, work: Work) -> None:
    try:
        _work(job, work)
    finally:
        job._end.set()


def _work(job: Job, work: Work) -> None:
    if job.cancelled:
        job.state = "cancelled"
        return
    job.state = "running"
    try:
        job.result = work(job)
        job.share = 1.0
        job.state = "done"
    except CancelledError:
        job.state = "cancelled"
    except MravffError as error:
        job.error = str(error)
        job.state = "failed"
    except Exception as error:
        log.exception("job %r failed", job.name)
        job.error = f"{type(error).__name__}: {error}; this is a fault of the program, its log says more"
        job.state = "failed"
