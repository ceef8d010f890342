from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

from dlcourse import datasets as datasets
from dlcourse import errors as errors
from dlcourse import generation as generation
from dlcourse import lab as lab
from dlcourse import lessons as lessons
from dlcourse import models as models
from dlcourse import plots as plots
from dlcourse.configuration.recipe import Recipe
from dlcourse.configuration.shipped import recipes as recipes
from dlcourse.datasets import load_dataset as load_dataset
from dlcourse.front_door import resume as resume
from dlcourse.lab import callbacks as callbacks
from dlcourse.lab.comparison import compare as compare
from dlcourse.lab.diagnosis import diagnose as diagnose
from dlcourse.lab.prediction import evaluate as evaluate
from dlcourse.lab.prediction import predict as predict
from dlcourse.lab.range_test import find_learning_rate as find_learning_rate
from dlcourse.lab.sampling import sample as sample
from dlcourse.lab.tuning import tune as tune
from dlcourse.models import build_model as build_model
from dlcourse.runs import Run as Run
from dlcourse.runs import list_runs as list_runs
from dlcourse.runs import read_run as read_run
from dlcourse.visualizers import Regularizers as Regularizers
from dlcourse.visualizers import Transformations as Transformations
from dlcourse.visualizers import activation_maximization as activation_maximization
from dlcourse.visualizers import attention_maps as attention_maps
from dlcourse.visualizers import attention_rollout as attention_rollout
from dlcourse.visualizers import class_activation_map as class_activation_map
from dlcourse.visualizers import deep_dream as deep_dream
from dlcourse.visualizers import eigen_cam as eigen_cam
from dlcourse.visualizers import feature_maps as feature_maps
from dlcourse.visualizers import filters as filters
from dlcourse.visualizers import grad_cam as grad_cam
from dlcourse.visualizers import grad_cam_plus_plus as grad_cam_plus_plus
from dlcourse.visualizers import gradient_times_input as gradient_times_input
from dlcourse.visualizers import guided_backpropagation as guided_backpropagation
from dlcourse.visualizers import integrated_gradients as integrated_gradients
from dlcourse.visualizers import layer_cam as layer_cam
from dlcourse.visualizers import neuron_activity as neuron_activity
from dlcourse.visualizers import occlusion as occlusion
from dlcourse.visualizers import rise as rise
from dlcourse.visualizers import saliency as saliency
from dlcourse.visualizers import score_cam as score_cam
from dlcourse.visualizers import smooth_grad as smooth_grad
from dlcourse.webapp.server import app as app

__version__: str

Group = str | Mapping[str, Any]
Source = str | Path | Mapping[str, Any] | Recipe | Run | tuple[Any, Any] | Any  # a DataFrame

class RecipeSettings(TypedDict, total=False):
    """The keywords of `fit` and `recipe`; `python -m dlcourse.train --settings` explains them."""

    dataset: Group
    model: Group
    seed: int
    training: Mapping[str, Any]
    epochs: int
    batch_size: int | Sequence[int]
    optimizer: Group
    learning_rate: float
    schedule: Group | None
    clip_norm: float | None
    clip_value: float | None
    ema: float | None
    label_smoothing: float
    class_weights: Literal["balanced"] | Mapping[str, float] | None
    augmentation: Mapping[str, Any] | None
    clean_epochs: int | None
    early_stopping: Mapping[str, Any] | None
    reduce_on_plateau: Mapping[str, Any] | None
    restore_best_weights: bool
    device: Literal["auto", "cpu", "gpu"]
    distribute: Literal["data_parallel"] | None
    mixed_precision: bool
    jit_compile: bool | None
    steps_per_execution: int | None
    checkpoint_every: int | None
    deterministic: bool
    tensorboard: bool

class DataSettings(RecipeSettings, total=False):
    """The keywords of `fit` and `recipe` for arrays or a DataFrame: those of `npz` and `csv`."""

    target: str
    task: Literal["classification", "regression"] | None
    class_names: Sequence[str] | None
    ignore: Sequence[str]
    missing: Literal["auto", "drop", "error"]
    missing_values: Sequence[str] | None
    rare: int | None
    split: Literal["random"] | Mapping[str, str]
    validation_fraction: float
    test_fraction: float

def fit(
    recipe: Source | None = None,
    *overrides: str,
    callbacks: Any = (),
    runs: str | Path | None = "runs",
    name: str | None = None,
    verbose: bool | int = True,
    **settings: Unpack[DataSettings],
) -> Run: ...
def recipe(
    recipe: Source | None = None, *overrides: str, **settings: Unpack[DataSettings]
) -> Recipe: ...
def as_keras(
    recipe: Source | None = None, *overrides: str, **settings: Unpack[DataSettings]
) -> str: ...
def lazy(
    package: str, modules: Iterable[str], names: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]: ...
