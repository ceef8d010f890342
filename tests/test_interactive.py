"""Sliders draw again when they are moved; without ipywidgets one line tells what to install."""

import logging
import os
import sys

import pytest

from dlcourse.lessons.interactive import interact, quiet_start


def test_a_moved_slider_draws_again():
    pytest.importorskip("ipywidgets")
    drawn = []

    def draw(rate=0.5, steps=5):
        drawn.append((rate, steps))

    widget = interact(draw, rate=(0.0, 2.0), steps=[5, 9])
    rate, steps = widget.children[:2]
    assert (rate.value, rate.continuous_update) == (0.5, False)
    rate.value, steps.value = 0.25, 9
    assert drawn[-1] == (0.25, 9)


@pytest.mark.parametrize(("backend", "times"), [("inline", 1), ("agg", 0)])
def test_a_picture_is_shown_within_the_callback_if_the_notebook_draws_inline(
    monkeypatch, backend, times
):
    pytest.importorskip("ipywidgets")
    from matplotlib import pyplot

    widget = interact(lambda rate: rate, rate=(0.0, 2.0))
    shown = []
    monkeypatch.setattr(pyplot, "get_backend", lambda: backend)  # after `%matplotlib inline`
    monkeypatch.setattr(pyplot, "show", lambda: shown.append(backend))
    widget.children[0].value = 0.5
    assert len(shown) == times


def test_without_ipywidgets_one_line_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert repr(interact(print, a=1)).startswith("Sliders need ipywidgets: pip install ipywidgets")


def test_a_quiet_start_is_for_kernels_alone(monkeypatch):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    before = os.fstat(2), list(logging.getLogger("tensorflow").filters)
    quiet_start()
    assert (os.fstat(2), logging.getLogger("tensorflow").filters) == before
