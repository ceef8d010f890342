"""The modules of tf-keras-vis and keras-vis, implemented with this package's visualizers."""
