PYTHON ?= .venv/bin/python

.PHONY: check test test-lowest notebooks constraints

check:  ## lint, format, types
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m basedpyright

test:  ## the test-suite
	$(PYTHON) -m pytest

test-lowest:  ## the test-suite with the lowest versions that pyproject.toml declares
	python3 -m venv .venv-lowest
	.venv-lowest/bin/pip install --quiet uv
	VIRTUAL_ENV=$(CURDIR)/.venv-lowest .venv-lowest/bin/uv pip install --resolution lowest-direct -e '.[dev]'
	.venv-lowest/bin/python -m pytest

notebooks:  ## make every .ipynb from its .py, run it, and write notebooks/html
	$(PYTHON) -m jupytext --to ipynb notebooks/[0-9]*.py
	$(PYTHON) -m jupyter nbconvert --to html --execute --output-dir notebooks/html notebooks/[0-9]*.ipynb

constraints:  ## write the versions of .venv to constraints.txt
	$(PYTHON) -m pip freeze --exclude-editable --exclude uv | grep -E '^[A-Za-z0-9_.-]+==' > constraints.txt
