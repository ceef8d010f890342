"""tf-keras-vis' older regularizers, of all inputs at once."""

from tf_keras_vis.utils.regularizers import *  # noqa: F403
