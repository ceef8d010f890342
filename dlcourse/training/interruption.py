"""Ctrl-C and SIGTERM: the first lets the training save its state, the second quits at once."""

import signal
from threading import current_thread, main_thread
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """A context that records the first Ctrl-C or SIGTERM in `signal`; the second one kills.

    Only the main thread may set signal handlers; in other threads nothing is recorded.

    Args:
        second: Handler of the second Ctrl-C; by default it ends the process at once.
    """

    def __init__(self, second: Any = signal.SIG_DFL) -> None:
        self.signal: int | None = None
        self.second = second
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopRequest":
        if current_thread() is main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.signal = number
        signal.signal(signal.SIGINT, self.second)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
