"""The browser app: draw, see, play and teach on one's own machine; `dlcourse app` and `dl.app`.

`server` builds the page and serves it; each tab is a module with `tab(app)`, called inside its tab.
What a tab computes stands in plain functions. JavaScript and style lie beside, in files.
"""

from dlcourse import lazy

__getattr__, __dir__ = lazy(__name__, [], {f"{__name__}.server": "App Page app build serve"})
