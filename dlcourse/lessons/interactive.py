"""Sliders and menus for notebooks, and a kernel without TensorFlow's start-up messages."""

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from dlcourse.quiet import quiet_retracing

HINT = "Sliders need ipywidgets: pip install ipywidgets. The other pictures show the same."


class Hint(str):
    """A line that a notebook shows in place of a widget."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def interact(draw: Callable[..., Any], **controls: Any) -> Any:
    """Return widgets that call `draw` again whenever one is changed, or a hint without ipywidgets.

    Args:
        draw: Function that draws with pyplot or prints; its return value is not shown.
        **controls: One control per parameter of `draw`, in ipywidgets' abbreviations: (low, high,
            step) or a number for a slider, a list for a menu, True or False for a checkbox.
    """
    try:
        import ipywidgets
    except ImportError:
        return Hint(HINT)

    @wraps(draw)  # the defaults of `draw` are the sliders' first values
    def shown(**values: Any) -> None:
        draw(**values)
        _show_inline()

    widget = ipywidgets.interactive(shown, **controls)
    for control in widget.children:
        if control.has_trait("continuous_update"):
            control.set_trait("continuous_update", False)  # draw once, on release
    return widget


def _show_inline() -> None:
    """Show the open figures where the notebook draws them: in a callback, in its widget.

    ipywidgets does so for the backend that a kernel starts with, but does not know the name that
    `%matplotlib inline` gives it: those pictures would land outside the widget.
    """
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot and pyplot.get_backend().endswith("inline"):
        pyplot.show()


def quiet_start() -> None:
    """Hide the messages that TensorFlow's C++ code prints at its start from a notebook.

    Python's errors and warnings are still shown: a kernel does not send them through file
    descriptor 2. Outside a kernel nothing happens.

    TensorFlow's warning about retracing is hidden as well: it is meant for one model that is
    called in many ways, and a lesson builds many models.
    """
    if "ipykernel" in sys.modules:
        quiet_retracing()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
