"""Jobs run in processes of their own, and nothing that happens there hurts the run."""

from __future__ import annotations

import os
import signal
import time

from ablate.engines.job import Done, Failed, Job, Message
from ablate.engines.local import run_jobs


def double(payload, report):
    report(("half way", payload))
    return 2 * payload


def fail(payload, report):
    raise ValueError("window must be\npositive")


def crash(payload, report):
    os.kill(os.getpid(), signal.SIGKILL)


def linger(payload, report):
    report(os.getpid())
    time.sleep(60)


def job(function, payload=None, name="job"):
    return Job(name=name, function=f"{__name__}:{function.__name__}", payload=payload)


def test_a_job_reports_and_returns():
    events = list(run_jobs([job(double, 21)], workers=2))
    assert [type(e) for e in events] == [Message, Done]
    assert events[0].content == ("half way", 21)
    assert events[1].result == 42


def test_every_job_is_done_once_even_when_others_raise_or_die():
    jobs = [job(double, i, f"d{i}") for i in range(3)]
    jobs[1:1] = [job(fail, name="raises"), job(crash, name="dies")]
    ends = [e for e in run_jobs(jobs, workers=2) if not isinstance(e, Message)]
    assert {e.job.name for e in ends} == {j.name for j in jobs}
    failed = {e.job.name: e for e in ends if isinstance(e, Failed)}
    assert failed["raises"].reason == "ValueError: window must be positive"
    assert "Traceback" in failed["raises"].evidence
    assert failed["dies"].reason == "the process was ended by SIGKILL (often: out of memory)"


def test_leaving_the_iterator_ends_the_workers():
    events = run_jobs([job(linger)], workers=1)
    pid = next(events).content
    events.close()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError(f"worker {pid} still lives")
