"""Studies of a run: diagnosis, X-ray, comparison, maps, range test, export; a Keras script."""

from dlcourse import lazy

__getattr__, __dir__ = lazy(
    __name__,
    [
        f"dlcourse.lab.{name}"
        for name in ("callbacks", "comparison", "diagnosis", "exporting", "faithfulness", "plots")
    ],
    {
        "dlcourse.lab.range_test": "find_learning_rate",
        "dlcourse.lab.diagnosis.xray": "xray read_layers depth_scan",
    },
)
