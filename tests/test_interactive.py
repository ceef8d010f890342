"""Sliders draw again when they are moved; without ipywidgets one line tells what to install."""

import sys

import pytest

from dlcourse.interactive import interact


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


def test_without_ipywidgets_one_line_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert repr(interact(print, a=1)).startswith("Sliders need ipywidgets: pip install ipywidgets")
