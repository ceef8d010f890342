"""keras-vis' vocabulary for Keras 3: `from vis.visualization import …` becomes
`from dlcourse.compat.keras_vis.visualization import …`.

Signatures, defaults and formulas are those of keras-vis (github.com/raghakot/keras-vis), made for
Keras 2. Any model will do, also one with models inside, and none is changed; images have their
channels last.
"""
