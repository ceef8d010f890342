"""tf-keras-vis' callbacks."""

from tf_keras_vis.activation_maximization.callbacks import *  # noqa: F403
