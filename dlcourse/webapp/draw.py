"""The tab Draw and see."""

from typing import Any

from dlcourse.webapp.server import App, gradio


def tab(app: App) -> None:
    """Fill the tab."""
    gr: Any = gradio()
    gr.Markdown(f"{len(app.runs)} runs")
