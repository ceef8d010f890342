"""Measurements, each a module with a command: `python -m benchmarks.vectorised`."""

import dlcourse  # noqa: F401 - before Keras: what is compared has the same kernels
