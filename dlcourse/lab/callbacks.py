"""Keras callbacks for your own `fit`, and for `dlcourse.fit(callbacks=…)`."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.heavy import keras
from dlcourse.lab.diagnosis import LayerStatistics
from dlcourse.lab.diagnosis.xray import write_xray
from dlcourse.lab.diagnosis.xray import xray as read_layers
from dlcourse.quiet import write
from dlcourse.schema import shown
from dlcourse.training.divergence import NotFinite, refuse_infinite
from dlcourse.training.fitting import COLUMNS, epoch_line


def stop_on_nan(report: Callable[[str], None] = write) -> "keras.callbacks.Callback":
    """Return a callback that stops a training whose loss or weights became NaN or infinite.

    Keras' `TerminateOnNaN` checks only the loss, but on a CPU TensorFlow's ReLU turns NaN into 0:
    the loss of a network with NaN weights is then ln k, and a useless model is saved. This callback
    also checks every weight at the end of each epoch, and restores the weights of the last epoch in
    which all were finite. Its `reason` gives the cause; None while all is well.

    Args:
        report: Function called with one line when the training is stopped.
    """
    return _classes()["StopOnNaN"](report)


def xray(x: Any = None, y: Any = None) -> "keras.callbacks.Callback":
    """Return a callback that records layer statistics before the first epoch and after each epoch.

    Its `by_epoch` holds the `LayerStatistics` of each epoch, 0 for before the training:
    `diagnose(history, xray=callback.by_epoch)`. When a recipe is trained, they are written to the
    run's `xray.csv`, and continued when the run is resumed.

    Args:
        x: Examples `(n, …)` as the model takes them; the first 256 are used. None for the training
            examples of the recipe.
        y: Labels or targets `(n,)` of the examples.
    """
    return _classes()["XRay"](x, y)


def epoch_lines(report: Callable[[str], None] = write) -> "keras.callbacks.Callback":
    """Return a callback that reports one line per epoch; for `fit(…, verbose=0)`.

    Args:
        report: Function called with each line.
    """
    return _classes()["EpochLines"](report)


@cache
def _classes() -> dict[str, Any]:
    base: Any = keras.callbacks.Callback  # its model is annotated as None

    class Reporting(base):
        def __init__(self, report: Callable[[str], None]):
            super().__init__()
            if not callable(report):
                raise UserError(f"report: expected a function of one line, got {shown(report)}")
            self.report = report

    class StopOnNaN(Reporting):
        reason, finite = None, None

        def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
            self.reason, self.finite = None, self.model.get_weights()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            loss = (logs or {}).get("loss", 0.0)
            if not np.isfinite(loss):
                self._stop(f"the loss became {loss}")

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            try:
                refuse_infinite(self.model, logs or {}, epoch, 0)
                self.finite = self.model.get_weights()
            except NotFinite as fault:
                self._stop(self.reason or fault.what)
                self.report(
                    f"stopped in epoch {epoch + 1}: {self.reason}; earlier weights are restored. "
                    "Try a smaller learning rate or the optimizer's clipnorm."
                )
                self.model.set_weights(self.finite)

        def _stop(self, reason: str) -> None:
            self.reason, self.model.stop_training = reason, True

    class EpochLines(Reporting):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            epochs = int((self.params or {}).get("epochs") or epoch + 1)
            logs = logs or {}
            ordered = {key: logs[key] for key in (*COLUMNS, *logs) if key in logs}
            self.report(epoch_line(epoch + 1, epochs, ordered))

    class XRay(base):
        def __init__(self, x: Any, y: Any):
            super().__init__()
            self.x, self.y = x, y
            self.run: Any = None
            self.by_epoch: dict[int, list[LayerStatistics]] = {}

        def set_run(self, run: Any, dataset: Any) -> None:
            self.run = run
            if self.x is None:
                self.x, self.y = dataset.x_train, dataset.y_train

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            if epoch == 0 and 0 not in self.by_epoch:
                self._read(0)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            self._read(epoch + 1)

        def _read(self, epoch: int) -> None:
            if self.x is None or self.y is None:
                raise UserError("xray: give the examples x and labels y, or train a recipe")
            self.by_epoch[epoch] = read_layers(self.model, self.x, self.y)
            if self.run is not None:
                write_xray(self.run, self.by_epoch)

        def get_state(self) -> dict[str, Any]:
            return {str(epoch): list(map(list, rows)) for epoch, rows in self.by_epoch.items()}

        def set_state(self, state: Any) -> None:
            # 0.1.0 stored a list, one item per epoch
            items = state.items() if isinstance(state, dict) else enumerate(state)
            self.by_epoch = {
                int(epoch): [LayerStatistics(*row) for row in rows] for epoch, rows in items
            }

    return {"StopOnNaN": StopOnNaN, "EpochLines": EpochLines, "XRay": XRay}
