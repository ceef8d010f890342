"""A playground of points: choose the data, the features and the network; see what it learns."""

import tempfile
import threading
import time
from dataclasses import dataclass
from itertools import count
from math import inf
from pathlib import Path
from typing import Any, get_args

import numpy as np

import dlcourse
from dlcourse.configuration.recipe import recipe_from_text
from dlcourse.datasets import Dataset, load_dataset
from dlcourse.datasets.points import FEATURES, Shape, plane_features
from dlcourse.errors import DivergedError, UserError
from dlcourse.lessons.interactive import HINT, Hint
from dlcourse.lessons.maths.network import Network, NotFiniteError
from dlcourse.pictures.figures import png
from dlcourse.runs import Run
from dlcourse.training import Fit, prepare
from dlcourse.training.batches import epoch_order
from dlcourse.training.divergence import NotFinite

LAYERS = {"none": (), "2": (2,), "4": (4,), "8": (8,), "4, 4": (4, 4), "8, 8": (8, 8)}
CHOICES: dict[str, Any] = {
    "shape": get_args(Shape),
    "noise": (0.0, 0.1, 0.3, 0.5, 1.0),
    "hidden": tuple(LAYERS.items()),
    "activation": ("linear", "sigmoid", "tanh", "relu"),
    "l2": (0.0, 0.001, 0.003, 0.01, 0.03, 0.1),
    "learning_rate": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
    "epochs": (5, 10, 20, 40, 80),
}
"""The choices of each menu of the panel; the features have one checkbox each."""
POINTS = 500


@dataclass
class Playground:
    """The settings of a network on points of the plane, which the panel's controls change.

    Attributes:
        shape, noise, features, n: Settings of the data set `points`.
        hidden, activation, l2: Settings of the model `dnn`.
        learning_rate, epochs, batch_size: Settings of the training.
    """

    shape: str = "xor"
    noise: float = 0.1
    features: tuple[str, ...] = ("x1", "x2")
    hidden: tuple[int, ...] = ()
    activation: str = "tanh"
    l2: float = 0.0
    learning_rate: float = 0.03
    epochs: int = 20
    n: int = POINTS
    batch_size: int = 32

    def as_recipe(self) -> str:
        """Return the recipe of the network that is drawn, as YAML."""
        return f"""\
dataset:
  name: points
  n: {self.n}
  shape: {self.shape}
  noise: {self.noise}
  features: [{", ".join(self.features)}]
model:
  name: dnn
  hidden: {list(self.hidden)}
  activation: {self.activation}
  l2: {self.l2}
training:
  epochs: {self.epochs}
  learning_rate: {self.learning_rate}
  batch_size: {self.batch_size}
  restore_best_weights: false
"""

    def as_keras(self) -> str:
        """Return the recipe of the network that is drawn, as one plain Keras script."""
        return dlcourse.as_keras(recipe_from_text(self.as_recipe(), "playground"))

    def train(self) -> tuple[Any, Dataset]:
        """Return the trained Keras model and its data set; nothing is left on the disk.

        Raises:
            RecipeError: The settings do not fit together.
            DivergedError: The training diverged.
        """
        recipe = recipe_from_text(self.as_recipe(), "playground")
        prepared = prepare(recipe)
        with tempfile.TemporaryDirectory() as folder:
            try:
                Fit(recipe, prepared, Run(Path(folder))).train()
            except NotFinite as fault:
                raise DivergedError(f"diverged: {fault.what}: lower the learning rate") from None
        return prepared.model, prepared.dataset

    def plane(self) -> Dataset:
        """Return the data set with the features x1 and x2: the same points, to be drawn."""
        return load_dataset("points", shape=self.shape, noise=self.noise, n=self.n)

    def draw(self, ax: Any = None) -> Any:
        """Return axes with the training points on the trained network's predictions.

        Args:
            ax: Matplotlib axes; a new figure by default.

        Raises:
            RecipeError, DivergedError: The same as for `train`.
        """
        from dlcourse.lessons import plots as lesson_plots

        model, dataset = self.train()
        plane = self.plane()

        def predict(rows: np.ndarray) -> np.ndarray:
            return np.asarray(model(plane_features(rows, self.features)))

        ax = lesson_plots.decision_boundary(
            predict, plane.x_train, plane.y_train, ax, resolution=120
        )
        right = np.mean((predict(plane.x_val)[:, 0] > 0.5) == dataset.y_val)
        ax.set_title(f"validation accuracy {right:.2f}", fontsize=11)
        return ax

    def panel(self) -> Any:
        """Return menus and checkboxes beside the picture, which is redrawn at each change.

        Without ipywidgets, return a hint. `controls` holds the widgets by their setting's name.
        """
        try:
            import ipywidgets
        except ImportError:
            return Hint(HINT)
        self.controls = {
            name: ipywidgets.Dropdown(
                options=choices,
                value=getattr(self, name),
                description=name.replace("_", " "),
            )
            for name, choices in CHOICES.items()
        }
        ticks = {
            name: ipywidgets.Checkbox(name in self.features, description=name, indent=False)
            for name in FEATURES
        }
        self.controls |= ticks
        self.picture, self.message = ipywidgets.Image(format="png"), ipywidgets.Label()

        def changed(_: Any = None) -> None:
            for name in CHOICES:
                setattr(self, name, self.controls[name].value)
            self.features = tuple(name for name, box in ticks.items() if box.value)
            self._redraw()

        for control in self.controls.values():
            control.observe(changed, "value")
        self._redraw()
        left = ipywidgets.VBox(list(self.controls.values()))
        return ipywidgets.HBox([left, ipywidgets.VBox([self.picture, self.message])])

    def _redraw(self) -> None:
        """Train and update the picture; an error is shown as a line below the old picture."""
        from dlcourse import plots

        self.message.value = "training …"
        figure = plots.new_figure(6.2, 4.4)
        try:
            self.draw(figure.subplots())
        except UserError as error:
            self.message.value = str(error)
        else:
            self.picture.value = png(figure)
            self.message.value = ""


PREPARING = threading.Lock()  # the seed of the first weights is the whole process's
NUMBERS = count()
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7  # Keras' defaults of Adam


def undisturbed(recipe: Any) -> tuple[Any, list[np.ndarray]]:
    """Return a recipe prepared with the first weights of its seed, and these weights.

    Other threads of a server draw from the process's random numbers, too, and so could change the
    weights: the recipe is prepared until two times give the same.
    """
    with PREPARING:
        before: list[np.ndarray] = []
        while True:
            prepared = prepare(recipe)
            weights = [np.asarray(weight) for weight in prepared.model.trainable_variables]
            if before and all(map(np.array_equal, before, weights)):
                return prepared, weights
            before = weights


class StepwiseTraining:
    """A training that goes on batch by batch: `Playground.train` in NumPy, to be watched.

    It starts from the weights of the recipe's Keras model and takes the same batches through
    `maths.Network` and Adam, so the weights are Keras' but for rounding, which grows where the
    learning rate is so high that the weights jump about. Keras would compile a model for about a
    second at each change of a setting, and TensorFlow would keep the memory of each.

    Attributes:
        play: Settings of the network.
        running: Whether a page that shows it has started it; `run` and `step` do not ask.
        plane: Data set with the features x1 and x2.
        network: `maths.Network` with the weights; its inputs are the standardised features.
        limit: Largest coordinate of a point, or a little more.
        number: Number of the training in this process; a later one has a larger number.
        epoch, batch: Number of whole epochs trained, and of batches trained in the current one.
        history: Values of `loss`, `val_loss` and `val_accuracy` before the first and after every
            epoch, all with the weights of that moment; like Keras' they include the L2 penalty.

    Raises:
        RecipeError: The settings do not fit together.

    References:
        Kingma and Ba, "Adam: a method for stochastic optimization", arXiv:1412.6980, Algorithm 1.
    """

    def __init__(self, play: Playground, running: bool = False):
        recipe = recipe_from_text(play.as_recipe(), "playground")
        prepared, weights = undisturbed(recipe)
        self.play, self.running = play, running
        self.plane, self.seed = play.plane(), recipe.seed
        inputs, names = prepared.dataset.x_train, [*[play.activation] * len(play.hidden), "sigmoid"]
        self.mean, self.deviation = inputs.mean(axis=0), inputs.std(axis=0)
        self.network = Network((len(play.features), *play.hidden, 1), names)
        self.start = weights[::2], weights[1::2]
        self.parameters = [*self.network.W, *self.network.b]
        self.means, self.squares = ([np.zeros_like(w) for w in self.parameters] for _ in range(2))
        self.splits = {
            part: (self._inputs(plane), labels[:, None].astype(float))
            for part, (plane, labels) in self.plane.splits.items()
        }
        self.limit = 1.03 * max(5.5, float(np.abs(self.plane.x_train).max()))
        self.batches = -(-len(inputs) // play.batch_size)
        self.lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Go back to the first weights; the training gets a new number."""
        with self.lock:
            self.number, self.epoch, self.batch, self.steps = next(NUMBERS), 0, 0, 0
            self.network.set_weights(*self.start)
            for moments in (*self.means, *self.squares):
                moments[...] = 0
            self.history: dict[str, list[float]] = {"loss": [], "val_loss": [], "val_accuracy": []}
            self._measure()

    def run(self, epochs: int = 1, *, seconds: float = inf) -> None:
        """Train to the end of this many epochs, or until the time is over.

        Args:
            epochs: Number of epochs; one that has begun counts when it ends.
            seconds: Time in seconds after which no further batch is begun.

        Raises:
            DivergedError: The training diverged.
        """
        end = time.monotonic() + seconds
        with self.lock:
            last = self.epoch + epochs
            while self.epoch < last and time.monotonic() < end:
                self._step()

    def step(self) -> None:
        """Train one batch; the last one of an epoch also measures the losses.

        Raises:
            DivergedError: The training diverged.
        """
        with self.lock:
            self._step()

    def outputs(self, resolution: int = 48) -> list[np.ndarray]:
        """Return the outputs of all neurons over the plane, from -limit to limit, layer by layer.

        Args:
            resolution: Points per side.

        Returns:
            The standardised features, the hidden layers and the probability of class 1, each
            `(resolution, resolution, neurons)`, with the largest x2 in the first row.
        """
        side = np.linspace(-self.limit, self.limit, resolution)
        x1, x2 = np.meshgrid(side, side[::-1])
        layers = self.network.forward(self._inputs(np.stack([x1.ravel(), x2.ravel()], axis=1))).a
        return [layer.reshape(resolution, resolution, -1) for layer in layers]

    def _inputs(self, plane: np.ndarray) -> np.ndarray:
        return (plane_features(plane, self.play.features) - self.mean) / self.deviation

    def _step(self) -> None:
        x, y = self.splits["train"]
        size = self.play.batch_size
        order = epoch_order(len(x), seed=self.seed, epoch=self.epoch)
        rows = order[self.batch * size : (self.batch + 1) * size]
        try:
            back = self.network.backward(x[rows], y[rows])
            penalties = [2 * self.play.l2 * W for W in self.network.W]
            kernels = [dW + penalty for dW, penalty in zip(back.dW, penalties, strict=True)]
            self._adam([*kernels, *back.db])
            self.batch += 1
            if self.batch == self.batches:
                self.epoch, self.batch = self.epoch + 1, 0
                self._measure()
        except NotFiniteError as error:
            raise DivergedError(f"diverged: {error}: lower the learning rate") from None

    def _adam(self, gradients: list[np.ndarray]) -> None:
        self.steps += 1
        correction = np.sqrt(1 - BETA_2**self.steps) / (1 - BETA_1**self.steps)
        rate = self.play.learning_rate * correction
        state = zip(self.parameters, gradients, self.means, self.squares, strict=True)
        for parameter, gradient, mean, square in state:
            mean += (1 - BETA_1) * (gradient - mean)
            square += (1 - BETA_2) * (gradient**2 - square)
            parameter -= rate * mean / (np.sqrt(square) + EPSILON)

    def _measure(self) -> None:
        penalty = self.play.l2 * sum(float(np.sum(W**2)) for W in self.network.W)
        x, y = self.splits["val"]
        right = (self.network.predict(x) > 0.5) == y
        self.history["loss"].append(self.network.loss(*self.splits["train"]) + penalty)
        self.history["val_loss"].append(self.network.loss(x, y) + penalty)
        self.history["val_accuracy"].append(float(right.mean()))
