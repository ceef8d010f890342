"""tf-keras-vis' older names of the callbacks."""

from tf_keras_vis.utils.callbacks import *  # noqa: F403
