"""tf-keras-vis' older place of the input modifiers."""

from tf_keras_vis.utils.input_modifiers import *  # noqa: F403
