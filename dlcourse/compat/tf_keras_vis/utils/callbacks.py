"""tf-keras-vis' older names of the callbacks."""

from tf_keras_vis.utils.callbacks import *  # noqa: F403

from dlcourse.compat.tf_keras_vis.activation_maximization.callbacks import GifGenerator2D

GifGenerator = GifGenerator2D
