"""The process that does one job: started as `python -m ablate.engines.worker`."""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import sys
from multiprocessing.connection import Connection

_PR_SET_PDEATHSIG = 1


def _die_with_parent(parent: int) -> None:
    """No worker outlives a killed run: Linux ends it, elsewhere a broken pipe a step later."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _serve(pipe: Connection) -> None:
    from ablate.engines.job import Job, Stopped
    from ablate.plugins import load_plugins

    job = pickle.loads(pipe.recv_bytes())
    assert isinstance(job, Job)
    import torch

    torch.set_num_threads(job.threads)
    load_plugins(job.plugins)

    def report(message: object) -> None:
        pipe.send(("message", message))
        if pipe.poll():  # all that the run ever says is that it wants its jobs to end
            raise Stopped

    try:
        result = job.call(report)
    except Stopped:
        pipe.send(("interrupted", None))
    except BrokenPipeError:
        os._exit(1)
    except Exception as error:  # a failed job is a result: the run goes on without it
        import traceback

        traceback.print_exc()
        text = " ".join(str(error).split())
        pipe.send(("failed", f"{type(error).__name__}: {text}"))
    else:
        pipe.send(("done", result))


def main() -> None:
    """Receive a job through the inherited pipe, do it, and send its result."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run decides when its workers end
    _die_with_parent(int(sys.argv[2]))
    with Connection(int(sys.argv[1])) as pipe:
        _serve(pipe)


if __name__ == "__main__":
    main()
