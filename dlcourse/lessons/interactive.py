"""What a notebook needs of its kernel: sliders and menus, and quiet."""

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from dlcourse.quiet import quiet_retracing

HINT = "Sliders need ipywidgets: pip install ipywidgets. The pictures without them tell the same."


class Hint(str):
    """A line that a notebook shows in the place of a widget."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def interact(draw: Callable[..., Any], **controls: Any) -> Any:
    """Return widgets that call `draw` again whenever one is changed, or a hint without ipywidgets.

    Args:
        draw: Function that draws with pyplot or prints; what it returns is not shown.
        **controls: One a parameter of `draw`, in ipywidgets' short forms: (low, high, step) or a
            number for a slider, a list for a menu, True or False for a box to tick.
    """
    try:
        import ipywidgets
    except ImportError:
        return Hint(HINT)

    @wraps(draw)  # whose defaults are where the sliders stand at first
    def shown(**values: Any) -> None:
        draw(**values)

    widget = ipywidgets.interactive(shown, **controls)
    for control in widget.children:
        if control.has_trait("continuous_update"):
            control.set_trait("continuous_update", False)  # draw once, where the slider is let go
    return widget


def quiet_start() -> None:
    """Keep what TensorFlow's C++ says at its start out of a notebook.

    A kernel sends Python's errors and warnings another way than file descriptor 2: they are shown
    as ever. Outside a kernel nothing happens.

    TensorFlow's advice on retracing goes as well: it is meant for one model that is called in many
    ways, and a lesson makes many models.
    """
    if "ipykernel" in sys.modules:
        quiet_retracing()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
