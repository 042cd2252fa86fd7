"""A few worker processes that take numbered jobs one by one and report how far they are.

Plain subprocesses speak over pipes: spawned `multiprocessing` workers would run the
caller's main script again, which in a Streamlit server means the page.
"""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

_POLL_S = 0.2
_ROOT = Path(__file__).resolve().parents[2]


class Crew:
    """Worker processes of one command; leaving the `with` block ends them.

    A worker reads job numbers from its standard input, one a line, prints
    `<job> <amount done>` as it goes and `<job> done` at the end.
    """

    def __init__(self, command: Sequence[str], workers: int) -> None:
        self._command, self._count = list(command), workers
        self._workers: list[subprocess.Popen[str]] = []
        self._news: queue.Queue[tuple[int, str | None]] = queue.Queue()

    def __enter__(self) -> Crew:
        # One thread each: the processes share the cores between them.
        limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        for number in range(self._count):
            worker = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, **limits, "PYTHONPATH": path},
            )
            self._workers.append(worker)
            threading.Thread(target=self._listen, args=(number, worker), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            if worker.stdin:
                worker.stdin.close()
        for worker in self._workers:
            try:
                worker.wait(timeout=10)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
            for pipe in (worker.stdout, worker.stderr):
                if pipe:
                    pipe.close()

    def work(self, jobs: Sequence[int]) -> Iterator[float]:
        """Hand out jobs and give the total amount done, at least every fifth of a second.

        Raises: RuntimeError with a worker's last words if it dies.
        """
        waiting, open_jobs = list(jobs), len(jobs)
        amounts = dict.fromkeys(jobs, 0.0)
        for number in range(len(self._workers)):
            self._give(number, waiting)
        while open_jobs:
            yield sum(amounts.values())
            try:
                number, line = self._news.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            if line is None:
                raise RuntimeError(
                    f"a worker ended with code {self._workers[number].wait()}: {self._last_words(number)}"
                )
            job, amount = line.split()
            if amount == "done":
                open_jobs -= 1
                self._give(number, waiting)
            else:
                amounts[int(job)] = float(amount)
        yield sum(amounts.values())

    def _give(self, number: int, waiting: list[int]) -> None:
        stdin = self._workers[number].stdin
        if waiting and stdin:
            try:
                stdin.write(f"{waiting.pop(0)}\n")
                stdin.flush()
            except BrokenPipeError:
                self._news.put((number, None))

    def _listen(self, number: int, worker: subprocess.Popen[str]) -> None:
        for line in worker.stdout or ():
            self._news.put((number, line))
        self._news.put((number, None))

    def _last_words(self, number: int) -> str:
        stderr = self._workers[number].stderr
        words = stderr.read().strip() if stderr else ""
        return words.splitlines()[-1] if words else "it said nothing"
