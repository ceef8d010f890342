"""tf-keras-vis' regularizers, of one input each."""

from tf_keras_vis.activation_maximization.regularizers import *  # noqa: F403
