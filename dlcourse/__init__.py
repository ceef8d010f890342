"""dlcourse: recipe (YAML) → data set → Keras model → fit → run directory → pictures."""

import os
import platform

__version__ = "0.2.0"

# TensorFlow leaves oneDNN's kernels off on x86 processors without AVX512_VNNI and on Windows
# (release notes of 2.9), where a CNN trains in half the CPU time with them
# (`python -m benchmarks.onednn`). It reads this once, as it is imported.
if platform.machine().lower() in ("x86_64", "amd64"):
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
