"""tf-keras-vis' regularizers, each for one input."""

from tf_keras_vis.activation_maximization.regularizers import *  # noqa: F403
