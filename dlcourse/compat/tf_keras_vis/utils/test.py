"""tf-keras-vis' models and samples for tests; importing it needs pytest."""

from tf_keras_vis.utils.test import *  # noqa: F403
