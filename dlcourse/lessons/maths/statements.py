"""The incorrect sentences of the slides, quoted, with their corrections."""

from typing import NamedTuple


class Statement(NamedTuple):
    """An incorrect sentence of the slides, quoted, and the correction."""

    id: str
    says: str
    correction: str

    @property
    def deck(self) -> str:
        return self.id.partition(".")[0]


_STATEMENTS = (
    Statement(
        "S0.minima",
        "derivative of a function gives a minima",
        "It gives the slope; at a minimum the slope is 0, and at a maximum too.",
    ),
    Statement(
        "S1.initialise",
        "It is necessary to randomly initialise weights to a non-zero value",
        "Random is what matters: equal non-zero weights stay equal just as zeros do.",
    ),
    Statement(
        "S1.neuron",
        "It performs a simple linear regression",
        "It computes a weighted sum and an activation; a regression fits such a sum to data.",
    ),
    Statement(
        "S2.gradient",
        "The gradient always points in the direction of the minimum",
        "It points uphill, to the steepest ascent (S0 has it right); its negative points downhill, "
        "though seldom straight at the minimum.",
    ),
    Statement(
        "S3.relu",
        "Converts negative values to positive",
        "ReLU turns negative values into 0.",
    ),
    Statement(
        "S3.range",
        "Maps the output values ranging from 0 to 1 or from -1 to 1",
        "Sigmoid and tanh do; ReLU ranges from 0 to infinity.",
    ),
    Statement(
        "S3.sequence",
        "probabilistic in nature, thus fails in use-cases such as Sequence prediction",
        "Hidden Markov models and conditional random fields are probabilistic, and predict them.",
    ),
    Statement(
        "S4.variables",
        "multiple dependent variables, and we call it multiple linear regression",
        "Multiple independent variables (the inputs); the dependent one is the output.",
    ),
    Statement(
        "S4.tanh",
        "It is the shifted version of sigmoid function",
        "tanh z = 2σ(2z) − 1: shifted and scaled, in both directions.",
    ),
    Statement(
        "S4.differentiable",
        "Activation functions should be differentiable",
        "Almost everywhere is enough: ReLU is not differentiable at 0.",
    ),
    Statement(
        "S4.left",
        "it is not zero, but almost zero",
        "ReLU's left part is exactly 0; almost zero is leaky ReLU's.",
    ),
    Statement(
        "S4.squaring",
        "always gives a positive value, so the sum will not be zero",
        "A square is not negative; the sum is 0 when every prediction is exact.",
    ),
)

STATEMENTS: dict[str, Statement] = {statement.id: statement for statement in _STATEMENTS}
"""The incorrect sentences of the slides, by id."""
