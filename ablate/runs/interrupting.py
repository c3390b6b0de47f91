"""How a run is ended: the first signal asks it to, the second ends it at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

INTERRUPTED: Final = 130  # exit codes as shells have them: 128 + the number of the signal
TERMINATED: Final = 143
_ASKING: Final = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Whether a run should end: asked for by a signal, or by the run itself.

    Args:
        told: Called once, when somebody first looks after it was asked for.
    """

    def __init__(self, told: Callable[[], None] = lambda: None) -> None:
        self.asked = False
        self._signal = 0
        self._told = told
        self._said = False

    def __call__(self) -> bool:
        """Whether to end; engines look now and then."""
        if self.asked and not self._said:
            self._said = True
            self._told()
        return self.asked

    def ask(self) -> None:
        """Want the run to end."""
        self.asked = True

    @contextmanager
    def gently(self) -> Iterator[None]:
        """Meanwhile the first SIGINT or SIGTERM only asks; afterwards it has its usual effect.

        A second one ends the run at once. Signals come to the main thread; in any other nothing
        changes.

        Raises:
            KeyboardInterrupt: SIGINT had asked.
            SystemExit: SIGTERM had asked, with exit code 143.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._hear) for number in _ASKING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler or signal.SIG_DFL)
        if self._signal:
            raise _ending(self._signal)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._signal:
            raise _ending(number)
        self._signal, self.asked = number, True


def _ending(number: int) -> BaseException:
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(TERMINATED)
