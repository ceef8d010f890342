"""tf-keras-vis' older names of the scores."""

from tf_keras_vis.utils.losses import *  # noqa: F403
