"""Processes that train together: the first starts the others, hears Ctrl-C for all, and ends them where it stops."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from lightning_fabric.strategies.ddp import DDPStrategy


@contextmanager
def strategy_for(devices: int) -> Iterator[Any]:
    """Fabric's strategy for so many devices; other processes that it starts do not outlive an error in the block."""
    if devices <= 1:
        yield "auto"
        return
    strategy = _FirstHears()
    try:
        yield strategy
    except BaseException:
        strategy.end_others()
        raise
    finally:
        strategy.hear()


@contextmanager
def interrupts_kept() -> Iterator[Callable[[], None]]:
    """Give what raises KeyboardInterrupt if Ctrl-C came before, should a library's own code have let that one fall."""
    came = threading.Event()

    def check() -> None:
        if came.is_set():
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    # Only the main thread may set handlers; who has a handler of their own knows what to do.
    if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
        yield check
        return

    def hear(number: int, frame: FrameType | None) -> None:
        came.set()
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, hear)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)


class _FirstHears(DDPStrategy):
    """In a terminal Ctrl-C reaches every process; all but the first leave it to that one, and go on until it ends them.

    From here to the start of the others Ctrl-C is held back, which they inherit for good.
    """

    def __init__(self) -> None:
        # A batch whose clips all go without sound leaves the fusion without a gradient.
        super().__init__(find_unused_parameters=True)
        self._heard_before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    def setup_environment(self) -> None:
        """Called by Fabric in each process, once all are started."""
        self.hear()
        super().setup_environment()

    def hear(self) -> None:
        """Hear what was heard before this was made: in processes that were started by another no Ctrl-C."""
        signal.pthread_sigmask(signal.SIG_SETMASK, self._heard_before)

    def end_others(self) -> None:
        """End the processes that this one has started."""
        started = getattr(self.launcher, "procs", [])
        others = list(started)
        # Fabric watches them, and would end this process too.
        started.clear()
        for process in others:
            process.kill()
        for process in others:
            process.wait()
