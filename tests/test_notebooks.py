"""Each notebook is made from its .py, holds no outputs, and runs from top to bottom."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "notebooks").glob("[0-9]*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_is_its_source_without_outputs(source):
    jupytext = pytest.importorskip("jupytext")
    made = jupytext.read(source)
    stored = jupytext.read(source.with_suffix(".ipynb"))
    assert [(cell.cell_type, cell.source) for cell in stored.cells] == [
        (cell.cell_type, cell.source) for cell in made.cells
    ]
    assert not any(cell.get("outputs") for cell in stored.cells)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_runs(source, tmp_path, monkeypatch):
    jupytext = pytest.importorskip("jupytext")
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("DLCOURSE_SMOKE", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = jupytext.read(source)
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    errors = [o.get("text", "") for o in outputs if o.get("name") == "stderr"]
    assert not any("Warning" in text for text in errors), errors
