"""The module names of tf-keras-vis and keras-vis, over this package's reading of models."""
