"""keras-vis' utilities; as in keras-vis they are in `utils.utils`."""

from dlcourse.compat.keras_vis.utils import utils

__all__ = ["utils"]
