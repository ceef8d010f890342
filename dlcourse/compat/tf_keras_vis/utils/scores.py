"""tf-keras-vis' scores."""

from tf_keras_vis.utils.scores import *  # noqa: F403
