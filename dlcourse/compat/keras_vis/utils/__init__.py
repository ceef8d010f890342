"""keras-vis' small functions are in `utils.utils`, as there."""

from dlcourse.compat.keras_vis.utils import utils

__all__ = ["utils"]
