"""Measurements, each a module with a command: `python -m benchmarks.vectorised`."""
