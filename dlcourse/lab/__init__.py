"""What studies a run: diagnosis, comparison, faithfulness of maps, range test, export."""

from dlcourse import lazy

__getattr__, __dir__ = lazy(
    __name__,
    [
        f"dlcourse.lab.{name}"
        for name in ("callbacks", "comparison", "diagnosis", "exporting", "faithfulness", "plots")
    ],
    {"dlcourse.lab.range_test": "find_learning_rate"},
)
