"""Long work: one at a time per kind, with progress, cancel and errors in one sentence."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from app.jobs import Job, JobQueue
from mravff_core.errors import CancelledError, MediaError


@pytest.fixture
def queue() -> Iterator[JobQueue]:
    queue = JobQueue()
    yield queue
    queue.close()


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def test_work_is_done_and_its_result_kept(queue: JobQueue) -> None:
    job = queue.submit("detect", "a", "A", lambda job: job.report(0.5, "halfway") or 7)
    wait_until(lambda: job.ended)
    assert (job.state, job.result, job.share, job.stage) == ("done", 7, 1.0, "halfway")


def test_equal_names_are_one_piece_of_work_until_it_has_ended(queue: JobQueue) -> None:
    go, runs = threading.Event(), []
    work = lambda job: runs.append(job) or go.wait(5)  # noqa: E731
    first = queue.submit("detect", "same", "A", work)
    assert queue.submit("detect", "same", "A", work) is first
    go.set()
    wait_until(lambda: first.ended)
    again = queue.submit("detect", "same", "A", work)
    wait_until(lambda: again.ended)
    assert again is not first and len(runs) == 2


def test_one_at_a_time_of_a_kind_while_other_kinds_go_on(queue: JobQueue) -> None:
    go = threading.Event()
    slow = queue.submit("add", "slow", "S", lambda job: go.wait(5))
    behind = queue.submit("add", "behind", "B", lambda job: 1)
    other = queue.submit("detect", "other", "O", lambda job: 2)
    wait_until(lambda: other.ended)
    assert slow.state == "running" and behind.state == "waiting"
    go.set()
    wait_until(lambda: behind.ended)


def test_cancelling_stops_running_work_and_keeps_waiting_work_from_beginning(queue: JobQueue) -> None:
    began = threading.Event()

    def until_cancelled(job: Job) -> None:
        began.set()
        while not job.cancelled:
            time.sleep(0.002)
        raise CancelledError("stopped")

    running = queue.submit("add", "running", "R", until_cancelled)
    waiting = queue.submit("add", "waiting", "W", lambda job: pytest.fail("must not begin"))
    assert began.wait(5)
    waiting.cancel()
    running.cancel()
    wait_until(lambda: running.ended and waiting.ended)
    assert (running.state, waiting.state) == ("cancelled", "cancelled")


def test_bad_input_and_faults_become_a_sentence_and_the_queue_lives_on(queue: JobQueue) -> None:
    def bad(job: Job) -> None:
        raise MediaError("film.mp4: holds no video")

    def fault(job: Job) -> None:
        raise ZeroDivisionError("division by zero")

    jobs = [queue.submit("add", name, name, work) for name, work in (("bad", bad), ("fault", fault))]
    last = queue.submit("add", "last", "L", lambda job: "fine")
    wait_until(lambda: last.ended)
    assert jobs[0].error == "film.mp4: holds no video"
    assert jobs[1].error.startswith("ZeroDivisionError: division by zero; this is a fault of the program")
    assert last.result == "fine"


def test_lists_are_latest_first_and_ended_jobs_can_be_dismissed(queue: JobQueue) -> None:
    jobs = [queue.submit("add", f"job {number}", "J", lambda job: None) for number in range(3)]
    wait_until(lambda: all(job.ended for job in jobs))
    assert queue.of("add") == jobs[::-1] and queue.of("detect") == []
    queue.forget(jobs[1])
    assert queue.of("add") == [jobs[2], jobs[0]]
    assert queue.find("job 1") is None and queue.find("job 2") is jobs[2]


def test_whoever_waits_for_idleness_goes_on_once_all_work_has_ended_or_the_queue_is_closed(queue: JobQueue) -> None:
    assert queue.wait_until_idle()
    go, told = threading.Event(), list[bool]()
    work = lambda job: go.wait(5)  # noqa: E731
    jobs = [queue.submit(kind, kind, kind, work) for kind in ("explain", "detect")]
    waiting = threading.Thread(target=lambda: told.append(queue.wait_until_idle()))
    waiting.start()
    time.sleep(0.05)
    assert not told
    go.set()
    waiting.join(5)
    assert told == [True] and all(job.ended for job in jobs)
    queue.close()
    assert not queue.wait_until_idle()
