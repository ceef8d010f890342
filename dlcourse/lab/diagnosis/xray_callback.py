"""The X-ray of every epoch, as a Keras callback."""

from functools import cache
from typing import TYPE_CHECKING, Any

from dlcourse.lab.diagnosis import LayerStatistics
from dlcourse.lab.diagnosis.xray import write_xray, xray

if TYPE_CHECKING:
    import keras


def xray_callback(x: Any = None, y: Any = None) -> "keras.callbacks.Callback":
    """Return a callback that reads every layer before the first epoch and after each.

    Its `by_epoch` holds the `LayerStatistics` of each epoch, 0 for before the training. In a
    training of a recipe it is written to the run's `xray.csv`, and goes on when the run is resumed.

    Args:
        x: Examples `(n, …)` as the model takes them, of which 256 are read; None takes the training
            examples of the recipe.
        y: Their labels or targets `(n,)`.
    """
    return _xray_class()(x, y)


@cache
def _xray_class() -> Any:
    import keras

    class XRay(keras.callbacks.Callback):
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
            self.by_epoch[epoch] = xray(self.model, self.x, self.y)
            if self.run is not None:
                write_xray(self.run, self.by_epoch)

        def get_state(self) -> dict[str, Any]:
            return {str(epoch): list(map(list, rows)) for epoch, rows in self.by_epoch.items()}

        def set_state(self, state: Any) -> None:
            # 0.1.0 kept a list, one item per epoch
            items = state.items() if isinstance(state, dict) else enumerate(state)
            self.by_epoch = {
                int(epoch): [LayerStatistics(*row) for row in rows] for epoch, rows in items
            }

    return XRay
