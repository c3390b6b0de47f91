"""The first signal asks a run to end, the second ends it at once."""

from __future__ import annotations

import signal
import threading

import pytest

from ablate.runs.interrupting import Stop


@pytest.fixture(autouse=True)
def handlers():
    """Whatever a test leaves, the next one finds the usual handlers."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_first_signal_only_asks_and_ends_the_run_after_its_last_step():
    told: list[str] = []
    stop, steps = Stop(lambda: told.append("ending")), 0
    with pytest.raises(KeyboardInterrupt), stop.gently():
        signal.raise_signal(signal.SIGINT)
        while not (stop() and stop()):
            raise AssertionError("not asked")
        steps += 1
    assert (steps, told) == (1, ["ending"])


def test_the_second_signal_ends_it_at_once():
    stop, steps = Stop(), 0
    with pytest.raises(KeyboardInterrupt), stop.gently():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        steps += 1
    assert steps == 0


@pytest.mark.parametrize("times", [1, 2])
def test_sigterm_ends_it_with_its_exit_code(times: int):
    stop = Stop()
    with pytest.raises(SystemExit) as ended, stop.gently():
        for _ in range(times):
            signal.raise_signal(signal.SIGTERM)
    assert ended.value.code == 143


def test_handlers_are_put_back_and_nothing_is_asked_by_itself():
    def mine(*given: object) -> None: ...

    signal.signal(signal.SIGINT, mine)
    stop = Stop()
    with stop.gently():
        assert signal.getsignal(signal.SIGINT) != mine
        assert not stop()
    assert signal.getsignal(signal.SIGINT) == mine


def test_a_run_can_ask_itself_and_is_not_interrupted_by_that():
    stop = Stop()
    with stop.gently():
        stop.ask()
        assert stop()


def test_an_error_of_the_run_is_not_hidden_by_a_signal():
    stop = Stop()
    with pytest.raises(ValueError, match="a mistake"), stop.gently():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("a mistake")


def test_in_another_thread_signals_are_left_alone():
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def inside() -> None:
        with Stop().gently():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert seen == [before]
