"""A playground of points: choose the data, the features and the network; see what it learns."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

import dlcourse
from dlcourse.configuration.recipe import recipe_from_text
from dlcourse.datasets import Dataset, load_dataset
from dlcourse.datasets.points import FEATURES, Shape, plane_features
from dlcourse.errors import DivergedError, UserError
from dlcourse.lessons.interactive import HINT, Hint
from dlcourse.pictures.figures import png
from dlcourse.runs import Run
from dlcourse.training import Fit, prepare
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
        shape, noise, features: Settings of the data set `points`.
        hidden, activation, l2: Settings of the model `dnn`.
        learning_rate, epochs: Settings of the training.
    """

    shape: str = "xor"
    noise: float = 0.1
    features: tuple[str, ...] = ("x1", "x2")
    hidden: tuple[int, ...] = ()
    activation: str = "tanh"
    l2: float = 0.0
    learning_rate: float = 0.03
    epochs: int = 20

    def as_recipe(self) -> str:
        """Return the recipe of the network that is drawn, as YAML."""
        return f"""\
dataset:
  name: points
  n: {POINTS}
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

    def draw(self, ax: Any = None) -> Any:
        """Return axes with the training points on the trained network's predictions.

        Args:
            ax: Matplotlib axes; a new figure by default.

        Raises:
            RecipeError, DivergedError: The same as for `train`.
        """
        from dlcourse.lessons import plots as lesson_plots

        model, dataset = self.train()
        settings = {"shape": self.shape, "noise": self.noise, "n": POINTS}
        plane = load_dataset("points", **settings)  # the same points, as x1 and x2

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
