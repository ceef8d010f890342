"""The test-suite: a package, so that `python -m tests.faults.kill` finds its own modules."""
