"""dlcourse: recipe (YAML) → data set → Keras model → fit → run directory → pictures."""

__version__ = "0.1.0"
