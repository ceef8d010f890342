"""Studies of a run: diagnosis, X-ray, comparison, maps, range test, export; a Keras script."""

from dlcourse import lazy

ROOMS = ("callbacks", "comparison", "diagnosis", "exporting", "faithfulness", "plots")
FUNCTIONS = {"dlcourse.lab.range_test": "find_learning_rate"}
FUNCTIONS |= {"dlcourse.lab.diagnosis.xray": "xray read_layers depth_scan"}
__getattr__, __dir__ = lazy(__name__, ROOMS, FUNCTIONS)
