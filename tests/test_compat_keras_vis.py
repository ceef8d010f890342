"""keras-vis' calls on Keras 3: the formulas by hand, and its MNIST notebooks' calls."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops
from visualizer_models import deep_model, lazy_model, subclassed_model  # noqa: F401

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from dlcourse.compat.keras_vis import backprop_modifiers, grad_modifiers, visualization
from dlcourse.compat.keras_vis.callbacks import GifGenerator, OptimizerCallback
from dlcourse.compat.keras_vis.input_modifiers import Jitter
from dlcourse.compat.keras_vis.losses import ActivationMaximization, Loss
from dlcourse.compat.keras_vis.optimizer import Optimizer
from dlcourse.compat.keras_vis.regularizers import LPNorm, TotalVariation
from dlcourse.compat.keras_vis.utils import utils
