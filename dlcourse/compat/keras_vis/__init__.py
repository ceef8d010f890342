"""The names of keras-vis for Keras 3: `from vis.visualization import …` becomes
`from dlcourse.compat.keras_vis.visualization import …`.

Signatures, defaults and formulas are those of keras-vis (github.com/raghakot/keras-vis), which was
written for Keras 2. Any model is accepted, also a nested one, and stays unchanged; images have
their channels last.
"""
