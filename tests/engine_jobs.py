"""What the jobs in the tests of the engines do: each is called as function(payload, report)."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path

from ablate.engines.job import Job, Stopped, Waits


def job(function, payload=None, name="job", **settings) -> Job:
    place = f"{__name__}:{function.__name__}"
    return Job(name=name, function=place, payload=payload, **settings)


def double(payload, report):
    report(("half way", payload))
    return 2 * payload


def nothing(payload, report):
    return None


def environment(payload, report):
    return os.environ.get(payload)


def process(payload, report):
    """The process, its parent, and how many threads the parent has."""
    parent = os.getppid()
    return os.getpid(), parent, len(list(Path(f"/proc/{parent}/task").iterdir()))


def loaded(payload, report):
    return payload in sys.modules


def fail(payload, report):
    raise ValueError("window must be\npositive")


def kill(payload, report):
    os.kill(os.getpid(), payload)


def leave(payload, report):
    sys.exit(payload)


def break_off(payload, report):
    """Die in the middle of a message, as a process that is short of memory does."""
    os.write(_pipe(), struct.pack("!i", 1000) + b"the rest never comes")
    os.kill(os.getpid(), signal.SIGKILL)


def _pipe() -> int:
    """The only socket that a worker has."""
    (found,) = filter(_is_socket, range(64))
    return found


def _is_socket(file: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(file).st_mode)
    except OSError:  # no such file is open
        return False


def wait_and_work(payload, report):
    """Say that it waits, wait, and work, each for so many seconds."""
    waiting, working = payload
    report(Waits("it is not my turn"))
    time.sleep(waiting)
    report("my turn")
    time.sleep(working)
    return "done"


def linger(payload, report):
    """Report our own number and that of a process that we started, then wait for better times."""
    started = subprocess.Popen(["sleep", "60"])
    report((os.getpid(), started.pid))
    time.sleep(60)


def step(payload, report):
    """Work on and on; leave a file where we are told to stop, as a checkpoint."""
    try:
        while True:
            report(os.getpid())
            time.sleep(0.01)
    except Stopped:
        Path(payload).write_text("saved")
        raise


def finish(payload, report):
    """End well although we are told to stop."""
    try:
        while True:
            report(os.getpid())
            time.sleep(0.01)
    except Stopped:
        return "done all the same"


def ignore(payload, report):
    """Work on whatever we are told."""
    while True:
        with contextlib.suppress(Stopped):
            report(os.getpid())
        time.sleep(0.01)


class Unreadable:
    """Cannot be made again where it is received."""

    def __reduce__(self):
        return (_not_here, ())


def _not_here():
    raise RuntimeError("no such class here")


def unreadable(payload, report):
    return Unreadable()


def unsendable(payload, report):
    return lambda: None


def interval(payload, report):
    """Which GPU we were given, and from when to when we worked on it."""
    began = time.monotonic()
    time.sleep(payload)
    return os.environ.get("CUDA_VISIBLE_DEVICES", ""), began, time.monotonic()


def trained(payload, report):
    """A digest of the weights of a small network after a few steps."""
    import torch

    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.GELU(), torch.nn.Conv2d(8, 3, 3, padding=1)
    )
    for _ in range(3):
        model.zero_grad()
        image = torch.rand(2, 3, 16, 16)
        torch.nn.functional.l1_loss(model(image), image).backward()
        with torch.no_grad():
            for weight in model.parameters():
                weight -= 0.1 * weight.grad
    state = b"".join(value.numpy().tobytes() for value in model.state_dict().values())
    return hashlib.sha256(state).hexdigest()
