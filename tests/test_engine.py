"""Jobs run in processes of their own, and nothing that happens there hurts the run."""

from __future__ import annotations

import os
import signal
import struct
import sys
import time
from pathlib import Path

import pytest

from ablate.engines.job import PARENT_ON_CUDA, Done, Failed, Job, Message
from ablate.engines.local import run_jobs


def double(payload, report):
    report(("half way", payload))
    return 2 * payload


def environment(payload, report):
    return os.environ.get(payload)


def fail(payload, report):
    raise ValueError("window must be\npositive")


def crash(payload, report):
    os.kill(os.getpid(), signal.SIGKILL)


def break_off(payload, report):
    """Die in the middle of a message, as a process that is short of memory does."""
    pipe = int(sys.argv[1])  # as the worker's main has it
    os.write(pipe, struct.pack("!i", 1000) + b"the rest never comes")
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


@pytest.mark.parametrize(("opened", "said"), [(False, ""), (True, "1")])
def test_a_job_is_told_whether_its_parent_has_a_cuda_device_open(monkeypatch, opened, said):
    monkeypatch.setattr("torch.cuda.is_initialized", lambda: opened)
    job = Job(name="a", function="tests.test_engine:environment", payload=PARENT_ON_CUDA)
    assert [event.result for event in run_jobs([job], 1)] == [said]


def test_every_job_is_done_once_even_when_others_raise_or_die():
    jobs = [job(double, i, f"d{i}") for i in range(3)]
    jobs[1:1] = [job(fail, name="raises"), job(crash, name="dies")]
    ends = [e for e in run_jobs(jobs, workers=2) if not isinstance(e, Message)]
    assert {e.job.name for e in ends} == {j.name for j in jobs}
    failed = {e.job.name: e for e in ends if isinstance(e, Failed)}
    assert failed["raises"].reason == "ValueError: window must be positive"
    assert "Traceback" in failed["raises"].evidence
    assert failed["dies"].reason == "the process was ended by SIGKILL (often: out of memory)"


def test_a_worker_that_dies_in_the_middle_of_a_message_is_a_failed_job():
    (end,) = run_jobs([job(break_off)], workers=1)
    assert isinstance(end, Failed)
    assert end.reason == "the process was ended by SIGKILL (often: out of memory)"


def test_a_folder_where_the_user_stands_is_not_taken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "blocks").mkdir()
    (tmp_path / "blocks" / "__init__.py").write_text("raise SystemExit('a stranger')")
    monkeypatch.chdir(tmp_path)
    assert [type(e) for e in run_jobs([job(double, 21)], workers=1)] == [Message, Done]


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
