"""Jobs run in processes of their own, and nothing that happens there hurts the run."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from types import SimpleNamespace

import pytest

from ablate.engines import EngineError, engine, server
from ablate.engines.at_work import JobAtWork
from ablate.engines.job import PARENT_ON_CUDA, Done, Failed, Interrupted, Message
from ablate.engines.kinds import KernelKills
from ablate.engines.local import LocalEngine, run_jobs
from ablate.engines.processes import FreshProcess
from ablate.engines.server import ENDED, REPLY, UNFORKED
from tests import engine_jobs as jobs
from tests.engine_jobs import job

SAVING = ("forked", "new")  # jobs that keep a state


@pytest.fixture(scope="module")
def warm() -> Iterator[LocalEngine]:
    """One server for all tests here; it loads less than the real one."""
    with closing(LocalEngine(modules=("torch",), grace=0.5)) as made:
        yield made


@pytest.fixture(params=["warm", "fresh"])
def local(request: pytest.FixtureRequest, warm: LocalEngine) -> LocalEngine:
    return warm if request.param == "warm" else LocalEngine(warm=False, grace=0.5)


def ends(events):
    return {e.job.name: e for e in events if not isinstance(e, Message)}


def gone(*pids: int) -> bool:
    """Whether processes end within a moment; one that nobody has waited for is gone too."""
    deadline = time.monotonic() + 5
    while any(map(alive, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_job_reports_and_returns(local):
    events = list(local([job(jobs.double, 21)], 2))
    assert [type(e) for e in events] == [Message, Done]
    assert events[0].content == ("half way", 21)
    assert events[1].result == 42


@pytest.mark.parametrize(("opened", "said"), [(False, ""), (True, "1")])
def test_a_job_is_told_whether_its_parent_has_a_cuda_device_open(monkeypatch, local, opened, said):
    monkeypatch.setattr("torch.cuda.is_initialized", lambda: opened)
    asking = job(jobs.environment, PARENT_ON_CUDA)
    assert [event.result for event in local([asking], 1)] == [said]


def test_every_job_is_done_once_even_when_others_raise_or_die(local):
    todo = [job(jobs.double, i, f"d{i}") for i in range(3)]
    todo[1:1] = [job(jobs.fail, name="raises"), job(jobs.kill, signal.SIGKILL, name="dies")]
    ended = ends(local(todo, 2))
    assert set(ended) == {j.name for j in todo}
    assert [ended[f"d{i}"].result for i in range(3)] == [0, 2, 4]
    assert ended["raises"].reason == "ValueError: window must be positive"
    assert ended["raises"].kind == "error"
    assert "Traceback" in ended["raises"].evidence
    assert ended["dies"].reason == "the process was ended by SIGKILL (often: out of memory)"
    assert ended["dies"].kind == "crash"


def test_a_worker_that_dies_in_the_middle_of_a_message_is_a_failed_job(local):
    (end,) = local([job(jobs.break_off)], 1)
    assert isinstance(end, Failed)
    assert end.reason == "the process was ended by SIGKILL (often: out of memory)"


def test_how_a_process_ended_is_said_with_what_it_wrote_last(local):
    todo = [
        job(jobs.kill, signal.SIGABRT, name="abort"),
        job(jobs.leave, 3, name="exit"),
        job(jobs.leave, "enough of this", name="words"),
        job(jobs.unsendable, name="unsendable"),
        job(jobs.unreadable, name="unreadable"),
    ]
    ended = ends(local(todo, 2))
    assert ended["abort"].reason == "the process was ended by SIGABRT"
    assert "Fatal Python error: Aborted" in ended["abort"].evidence
    assert "in kill" in ended["abort"].evidence  # the line of Python that it was at
    assert ended["exit"].reason == "the process ended with exit code 3 before its job was done"
    assert ended["words"].reason == "the process ended with exit code 1 before its job was done"
    assert ended["words"].evidence == "enough of this\n"
    assert ended["unsendable"].reason.startswith("the result cannot be sent: ")
    said = "what the job sent cannot be read: no such class here"
    assert ended["unreadable"].reason == said
    kinds = {name: end.kind for name, end in ended.items()}
    assert kinds == {
        "abort": "crash",
        "exit": "crash",
        "words": "crash",
        "unsendable": "error",
        "unreadable": "error",
    }


def test_a_job_that_cannot_be_read_where_it_is_sent_fails(local):
    (end,) = local([job(jobs.nothing, jobs.Unreadable())], 1)
    assert end.reason == "the job cannot be read: RuntimeError: no such class here"
    assert end.kind == "error"


def test_a_job_that_takes_longer_than_its_limit_is_killed_with_all_that_it_started(local):
    events = list(local([job(jobs.linger, seconds=1.0)], 1))
    assert events[-1].reason == "not done after 1 s, its time limit"
    assert events[-1].kind == "timeout"
    assert events[-1].seconds >= 1.0
    assert "in linger" in events[-1].evidence  # where it was
    assert gone(*events[0].content)


def test_the_time_of_a_job_rests_while_it_waits_its_turn(local):
    patient = local([job(jobs.wait_and_work, (1.5, 0.0), seconds=1.2)], 1)
    assert isinstance(list(patient)[-1], Done)
    slow = local([job(jobs.wait_and_work, (0.2, 30.0), seconds=0.6)], 1)
    assert list(slow)[-1].kind == "timeout"


def test_leaving_the_iterator_ends_the_workers_and_all_that_they_started(local):
    events = local([job(jobs.linger)], 1)
    pids = next(events).content
    events.close()
    assert gone(*pids)


def test_jobs_that_are_told_to_stop_save_their_state_and_no_more_begin(local, tmp_path):
    told: list[bool] = []
    todo = [
        job(jobs.step, str(tmp_path / "state"), name="saves"),
        job(jobs.finish, name="finishes"),
        job(jobs.ignore, name="ignores"),
        job(jobs.nothing, name="waits"),
    ]
    events, pids = [], {}
    for event in local(todo, 3, stop=lambda: bool(told)):
        events.append(event)
        pids[event.job.name] = getattr(event, "content", None) or pids[event.job.name]
        if len(pids) == 3:
            told.append(True)
    ended = ends(events)
    assert ended.keys() == {"saves", "finishes", "ignores"}
    assert isinstance(ended["saves"], Interrupted)
    assert (tmp_path / "state").read_text() == "saved"
    assert ended["finishes"].result == "done all the same"
    assert isinstance(ended["ignores"], Interrupted)  # after its time of grace
    assert gone(*pids.values())


def test_a_signal_to_end_that_is_sent_to_all_processes_costs_no_state(tmp_path):
    """As a batch system or a service manager sends it; the run tells its workers itself."""
    told: list[int] = []
    todo = [job(jobs.process, name="server")]
    todo += [job(jobs.step, str(tmp_path / name), name, fresh=name == "new") for name in SAVING]
    with closing(LocalEngine(modules=(), grace=20)) as local:
        (_, parent, _) = next(local(todo[:1], 1)).result
        events, pids = [], {}
        for event in local(todo[1:], 2, stop=lambda: bool(told)):
            events.append(event)
            if isinstance(event, Message):
                pids[event.job.name] = event.content
            if len(pids) == 2 and not told:
                told.extend([*pids.values(), parent])
                for number in (signal.SIGTERM, signal.SIGINT):
                    for pid in told:
                        os.kill(pid, number)
        assert [type(end) for end in ends(events).values()] == [Interrupted, Interrupted]
        assert all((tmp_path / name).read_text() == "saved" for name in SAVING)
        assert next(local(todo[:1], 1)).result[1] == parent


def test_a_job_that_has_hardly_begun_is_interrupted_too(warm, tmp_path):
    answers = iter([False, True])
    events = list(warm([job(jobs.step, str(tmp_path / "x"))], 1, stop=lambda: next(answers, True)))
    assert isinstance(events[-1], Interrupted)


def test_a_job_has_the_devices_that_it_asks_for_and_the_next_one_not(local):
    asking = job(jobs.environment, "CUDA_VISIBLE_DEVICES", devices="1")
    other = replace(asking, name="other", devices="")
    ended = ends(local([asking, other], 1))
    assert ended["job"].result == "1"
    assert ended["other"].result == os.environ.get("CUDA_VISIBLE_DEVICES")


def test_plug_ins_are_loaded_for_the_jobs_that_name_them(local, tmp_path):
    file = tmp_path / "some_plugin.py"
    file.write_text("")
    asking = job(jobs.loaded, "ablate_plugins.some_plugin", plugins=(str(file),))
    ended = ends(local([asking, replace(asking, name="other", plugins=())], 1))
    assert ended["job"].result
    assert not ended["other"].result


def test_a_plug_in_that_cannot_be_loaded_is_the_environments_fault(local, tmp_path):
    (end,) = local([job(jobs.nothing, plugins=(str(tmp_path / "no.py"),))], 1)
    assert end.kind == "environment"
    assert end.reason.endswith("no.py: no such Python file")


def test_a_worker_is_a_fork_of_one_process_with_one_thread_unless_it_is_to_be_fresh(warm):
    todo = [job(jobs.process, name=str(i), fresh=i == 2) for i in range(3)]
    ended = ends(warm(todo, 1))
    (first, server, threads), (second, same, _), (_, parent, _) = (
        ended[name].result for name in "012"
    )
    assert server == same != os.getpid()
    assert first != second
    assert threads == 1
    assert parent == os.getpid()


def test_a_fork_computes_what_a_new_interpreter_computes(warm):
    todo = [job(jobs.trained, name="fork"), job(jobs.trained, name="new", fresh=True)]
    ended = ends(warm(todo, 2))
    assert len({end.result for end in ended.values()}) == 1


def test_jobs_of_a_server_that_is_killed_are_lost_and_later_ones_have_another():
    with closing(LocalEngine(modules=())) as local:
        (_, server, _) = next(local([job(jobs.process)], 1)).result
        events = local([job(jobs.linger)], 1)
        pids = next(events).content
        os.kill(server, signal.SIGKILL)
        (end,) = events
        assert end.reason == "the process is gone, and nobody knows how it ended"
        assert end.kind == "lost"
        assert gone(*pids)
        (_, other, _) = next(local([job(jobs.process)], 1)).result
        assert other != server


def test_where_no_server_can_begin_jobs_run_in_new_interpreters():
    said = "trials start slowly: .* ended: ModuleNotFoundError: No module named 'no_such_module'"
    slow = pytest.warns(RuntimeWarning, match=said)
    with closing(LocalEngine(modules=("no_such_module",))) as local, slow:
        ended = ends(local([job(jobs.double, 1, name="a"), job(jobs.double, 2, name="b")], 1))
    assert [ended[name].result for name in "ab"] == [2, 4]


def test_a_job_for_which_there_can_be_no_process_fails_and_the_others_go_on(monkeypatch):
    def start(self, job, environment, pipe, errors):
        if job.name == "a":
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        return FreshProcess(pipe, errors, environment)

    monkeypatch.setattr("ablate.engines.starting.Starter.start", start)
    local = LocalEngine()
    ended = ends(local([job(jobs.double, 1, name="a"), job(jobs.double, 2, name="b")], 1))
    said = "no process could be started for it: Resource temporarily unavailable"
    assert (ended["a"].reason, ended["a"].kind) == (said, "environment")
    assert ended["b"].result == 4


def test_a_server_that_cannot_fork_says_why(monkeypatch):
    ours, theirs = socket.socketpair()
    with ours, theirs, TemporaryFile() as errors, monkeypatch.context() as patch:
        patch.setattr("os.fork", lambda: (_ for _ in ()).throw(OSError(11, "too many processes")))
        made = server._Server.__new__(server._Server)
        made.control, made.workers = theirs, {}
        made._fork(7, -1, errors.fileno())
        assert REPLY.unpack(ours.recv(64)) == (ENDED, 7, UNFORKED)
        work = JobAtWork(
            job(jobs.nothing), "", SimpleNamespace(end=lambda s: UNFORKED), ours, errors
        )
        failed = work.died(KernelKills(()))
        assert failed.reason == "no process could be started for it: too many processes"
        assert failed.kind == "environment"


def test_nothing_is_left_of_a_run_that_is_killed():
    code = """if True:
        import os, signal
        from ablate.engines.local import LocalEngine
        from tests import engine_jobs as jobs
        local = LocalEngine(modules=())
        todo = [jobs.job(jobs.linger, name="forked"), jobs.job(jobs.linger, name="new", fresh=True)]
        for count, event in enumerate(local(todo, 2), 1):
            print(event.job.name, *event.content, flush=True)
            if count == 2:
                os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert done.returncode == -signal.SIGKILL
    said = {name: map(int, pids) for name, *pids in map(str.split, done.stdout.splitlines())}
    (forked, started), (new, orphan) = said["forked"], said["new"]
    assert gone(forked, started, new)
    if alive(orphan):  # what a job starts by itself is ended by the server, where there is one
        os.kill(orphan, signal.SIGKILL)


def test_a_run_leaves_no_file(local, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    list(local([job(jobs.double, 1), job(jobs.fail)], 1))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_where_the_user_stands_is_not_taken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "ablate").mkdir()
    (tmp_path / "ablate" / "__init__.py").write_text("raise SystemExit('a stranger')")
    monkeypatch.chdir(tmp_path)
    todo = [job(jobs.double, 21), job(jobs.double, 21, fresh=True)]
    with closing(LocalEngine(modules=())) as local:
        assert [type(e) for e in local(todo, 1)] == [Message, Done, Message, Done]


def test_jobs_run_once_without_an_engine_that_is_kept():
    todo = [job(jobs.nothing, name="a", fresh=True), job(jobs.nothing, name="b", fresh=True)]
    assert ends(run_jobs(todo, workers=2)).keys() == {"a", "b"}
    assert list(run_jobs([], workers=2)) == []


def test_an_engine_goes_by_its_name():
    with closing(engine("local", grace=1.0)) as local:
        assert isinstance(local, LocalEngine)
    with pytest.raises(EngineError, match=r"^engine: there is none named 'lokal' \(engines: loc"):
        engine("lokal")


def test_a_plug_in_that_opened_a_gpu_is_told_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert server.held_gpu(tmp_path) == ""
    (tmp_path / "7").symlink_to("/dev/nvidia0")
    held = server.held_gpu(tmp_path)
    assert held == "/dev/nvidia0"
    monkeypatch.setattr(server, "held_gpu", lambda: held)
    with pytest.raises(SystemExit) as ended:
        server._warm_up([])
    assert ended.value.code == (
        "a plug-in opened a GPU (/dev/nvidia0) while it was loaded; forks could not use it: "
        "let it do so when its block is built"
    )
