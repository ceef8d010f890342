"""The tabs Compare and Runs."""

from typing import Any

from dlcourse.webapp.server import App, gradio


def tab(app: App) -> None:
    """Fill the tab."""
    gr: Any = gradio()
    gr.Markdown(f"{len(app.runs)} runs")


def runs_tab(app: App) -> None:
    """Fill the tab."""
    gr: Any = gradio()
    gr.Markdown(f"{app.folder}")
