"""Who watches a training: what is told, shown and asked, and the callbacks of the user."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dlcourse.errors import UserError
from dlcourse.runs import Run
from dlcourse.schema import shown
from dlcourse.training.interruption import StopRequest

Report = Callable[[str], None]
HOOKS = tuple(
    f"on_{what}_{when}"
    for what in ("epoch", "train_batch", "test", "test_batch")
    for when in ("begin", "end")
)


class UserCallbacks:
    """Keras callbacks that see one training, whatever fits it is made of.

    `on_train_begin` and `on_train_end` are called once, epochs are counted through, and `model` is
    the one that is saved. A callback that has `set_run(run, dataset)` is told of both; what
    `get_state()` returns, as values that JSON holds, is saved with the run and given back to
    `set_state` when it is resumed.
    """

    def __init__(self, callbacks: Any = ()):
        several = isinstance(callbacks, list | tuple)
        self.callbacks = tuple(callbacks) if several else (callbacks,) if callbacks else ()
        for one in self.callbacks:
            if isinstance(one, type) or not hasattr(one, "on_train_begin"):
                raise UserError(f"callbacks: Keras callbacks are expected, got {shown(one)}")
        self.model: Any = None

    def begin(self, run: Run, prepared: Any, epochs: int) -> None:
        """Let the callbacks begin; once per training."""
        self.model = prepared.model
        for callback in self.callbacks:
            if hasattr(callback, "set_run"):
                callback.set_run(run, prepared.dataset)
            callback.set_params({"epochs": epochs, "steps": None, "verbose": 0})
            callback.set_model(self.model)
            callback.on_train_begin()

    def end(self, logs: dict[str, float]) -> None:
        """Let the callbacks end; once per training."""
        for callback in self.callbacks:
            callback.on_train_end(logs)

    def _named(self) -> dict[str, Any]:
        """Return the callbacks by the name of their class, numbered from the second on."""
        seen: Counter[str] = Counter()
        named = {}
        for callback in self.callbacks:
            name = type(callback).__name__
            seen[name] += 1
            named[name if seen[name] == 1 else f"{name} {seen[name]}"] = callback
        return named

    def state(self) -> dict[str, Any]:
        """Return what the callbacks want to be saved, by their names."""
        named = self._named().items()
        return {name: one.get_state() for name, one in named if hasattr(one, "get_state")}

    def restore(self, saved: dict[str, Any]) -> list[str]:
        """Give the callbacks back what they saved; return the names that are missing now."""
        named = self._named()
        for name, state in saved.items():
            if hasattr(named.get(name), "set_state"):
                named[name].set_state(state)
        return [name for name in saved if name not in named]

    def in_fit(self, sync: Callable[[], None]) -> list[Any]:
        """Return what hands the hooks of one fit on: one Keras callback, or none.

        Args:
            sync: Brings the model's variables up to date; called before an epoch's end.
        """
        if not self.callbacks:
            return []
        import keras

        users, saved = self.callbacks, self.model

        class Relay(keras.callbacks.Callback):
            def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
                saved.stop_training = False

        def hand_on(hook: str) -> Callable[..., None]:
            def called(relay: Any, *arguments: Any, **options: Any) -> None:
                if hook == "on_epoch_end":
                    sync()
                for user in users:
                    getattr(user, hook)(*arguments, **options)
                if saved.stop_training:  # of the saved model: the one that is fitted may be another
                    relay.model.stop_training = True

            return called

        for hook in HOOKS:
            setattr(Relay, hook, hand_on(hook))
        return [Relay()]


@dataclass(frozen=True)
class Watch:
    """Who watches a training.

    Attributes:
        report: Called with one line per epoch, and with the device and the layers before.
        bar: Whether Keras' progress bar is shown.
        stop: Asks the training to save and leave; None never does.
        callbacks: The user's Keras callbacks.
    """

    report: Report | None = None
    bar: bool = False
    stop: StopRequest | None = None
    callbacks: UserCallbacks = field(default_factory=UserCallbacks)

    def tell(self, text: str) -> None:
        """Report a line, where someone listens."""
        if self.report:
            self.report(text)

    @property
    def signal(self) -> int | None:
        """The signal that asked the training to stop; None while it may go on."""
        return self.stop.signal if self.stop else None
