"""tf-keras-vis' input modifiers."""

from tf_keras_vis.activation_maximization.input_modifiers import *  # noqa: F403
