"""tf-keras-vis' utilities; nested models are searched at any depth."""

import sys
from typing import Any

from tf_keras_vis.utils import *  # noqa: F403

from dlcourse.visualizers import hooks


def is_mixed_precision(model: Any) -> bool:
    """Return whether any layer, at any depth, computes in float16."""
    return any(getattr(x, "compute_dtype", "") == "float16" for x in hooks.all_layers(model))


from dlcourse.compat.tf_keras_vis.utils import (  # noqa: E402,F401
    callbacks,
    input_modifiers,
    losses,
    model_modifiers,
    regularizers,
    scores,
)

if "pytest" in sys.modules:  # tf-keras-vis' helpers for tests import it
    from dlcourse.compat.tf_keras_vis.utils import test  # noqa: F401
