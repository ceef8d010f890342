"""The interface of a training to the user: reports, progress bar, stop request, callbacks."""

import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from threading import current_thread, main_thread
from types import FrameType
from typing import Any

from dlcourse.errors import UserError
from dlcourse.heavy import keras
from dlcourse.runs import Run
from dlcourse.schema import shown
from dlcourse.training.distributed import of_all

Report = Callable[[str], None]
SIGNALS = (signal.SIGINT, signal.SIGTERM)
PARTS = ("epoch", "train_batch", "test", "test_batch")
HOOKS = tuple(f"on_{part}_{when}" for part in PARTS for when in ("begin", "end"))


class UserCallbacks:
    """Keras callbacks that see a single training, even if it consists of several fits.

    `on_train_begin` and `on_train_end` are called once, the epochs are numbered consecutively, and
    `model` is the model that is saved. A callback with `set_run(run, dataset)` receives both. The
    result of `get_state()`, values that JSON can hold, is saved with the run and passed to
    `set_state` when the run is resumed.
    """

    def __init__(self, callbacks: Any = ()):
        several = isinstance(callbacks, list | tuple)
        self.callbacks = tuple(callbacks) if several else (callbacks,) if callbacks else ()
        for callback in self.callbacks:
            if isinstance(callback, type) or not hasattr(callback, "on_train_begin"):
                raise UserError(f"callbacks: Keras callbacks are expected, got {shown(callback)}")
        self.model: Any = None

    def begin(self, run: Run, prepared: Any, epochs: int) -> None:
        """Call `on_train_begin` of the callbacks, once per training."""
        self.model = prepared.model
        for callback in self.callbacks:
            if hasattr(callback, "set_run"):
                callback.set_run(run, prepared.dataset)
            callback.set_params({"epochs": epochs, "steps": None, "verbose": 0})
            callback.set_model(self.model)
            callback.on_train_begin()

    def end(self, logs: dict[str, float]) -> None:
        """Call `on_train_end` of the callbacks, once per training."""
        for callback in self.callbacks:
            callback.on_train_end(logs)

    def _named(self) -> dict[str, Any]:
        """Return the callbacks by class name, numbered from the second of a class on."""
        seen: Counter[str] = Counter()
        named = {}
        for callback in self.callbacks:
            name = type(callback).__name__
            seen[name] += 1
            named[name if seen[name] == 1 else f"{name} {seen[name]}"] = callback
        return named

    def state(self) -> dict[str, Any]:
        """Return the states of the callbacks to save, by name."""
        named = self._named().items()
        return {name: item.get_state() for name, item in named if hasattr(item, "get_state")}

    def restore(self, saved: dict[str, Any]) -> list[str]:
        """Restore the saved states of the callbacks; return the names of missing callbacks."""
        named = self._named()
        for name, state in saved.items():
            if hasattr(named.get(name), "set_state"):
                named[name].set_state(state)
        return [name for name in saved if name not in named]

    def in_fit(self, sync: Callable[[], None]) -> list[Any]:
        """Return a list with the Keras callback that forwards the hooks of a fit; it may be empty.

        Args:
            sync: Function that updates the model's variables, called before the end of an epoch.
        """
        if not self.callbacks:
            return []

        def begin(logs: Any = None) -> None:  # noqa: ARG001 - Keras' signature
            self.model.stop_training = False

        def hand_on(hook: str, *arguments: Any, **options: Any) -> None:
            if hook == "on_epoch_end":
                sync()
            for callback in self.callbacks:
                getattr(callback, hook)(*arguments, **options)
            if self.model.stop_training:  # the fitted model may differ from the saved one
                relay.model.stop_training = True

        hooks: Any = {hook: partial(hand_on, hook) for hook in HOOKS}
        relay: Any = keras.callbacks.LambdaCallback(on_train_begin=begin, **hooks)
        return [relay]


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


@dataclass(frozen=True)
class Watch:
    """Reports, progress bar, stop request and callbacks of a training.

    Attributes:
        report: Function that is called with the device and the layers, then with one line per
            epoch.
        bar: Whether to show Keras' progress bar.
        stop: Request that makes the training save its state and stop; None for no request.
        callbacks: Keras callbacks of the user.
    """

    report: Report | None = None
    bar: bool = False
    stop: StopRequest | None = None
    callbacks: UserCallbacks = field(default_factory=UserCallbacks)

    def tell(self, text: str) -> None:
        """Report a line, if there is a `report`."""
        if self.report:
            self.report(text)

    @property
    def signal(self) -> int | None:
        """The signal that requested a stop, of any process; None while the training may go on."""
        return int(of_all((self.stop and self.stop.signal) or 0).max()) or None
