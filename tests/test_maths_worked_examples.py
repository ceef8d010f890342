"""Every number of the slides against the right value, written here to the syllabus's digits."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from dlcourse.lessons.maths.quantities import Example, Measured, Quantity
from dlcourse.lessons.maths.steps import Step, render, show
from dlcourse.lessons.maths.worked_examples import EXAMPLES, STATEMENTS

SLIDES = Path(__file__).parents[2] / "shared/slides"

RIGHT = {  # id: {quantity: (value, digits after the point)}
    "S0.params": {
        "weights": (12960, 0),
        "biases": (42, 0),
        "parameters": (13002, 0),
        "per layer": ([12560, 272, 170], 0),
    },
    "S0.accuracy": {
        "sigmoid": (95.29, 2),
        "ReLU": (96.18, 2),
        "softmax regression": (92.77, 2),
    },
    "S1.net": {"weights as printed": (8, 0), "with biases": (11, 0)},
    "S1.weight_decay": {"(λ/2m)·ΣW²": (0.1 / 20 * 30, 12), "Keras: λ·ΣW²": (0.1 * 30, 12)},
    "S2.lr": {"step": (0.025, 12)},
    "S2.flatten": {"flattened": ([1, 1, 0, 4, 2, 1, 0, 2, 1], 0)},
    "S2.conv": {"first value": (4, 0), "feature map": ([[4, 3, 4], [2, 4, 3], [2, 3, 4]], 0)},
    "S2.maxpool": {"max": ([[7, 9], [8, 4]], 0), "average": ([[3.75, 4.25], [4.75, 2.5]], 2)},
    "S2.activations": {
        "unit_step": ([0, 0.5, 1, 1], 12),
        "unit_step′": ([0, 0, 0, 0], 12),
        "sign": ([-1, 0, 1, 1], 12),
        "sign′": ([0, 0, 0, 0], 12),
        "linear": ([-1, 0, 0.25, 1], 12),
        "linear′": ([1, 1, 1, 1], 12),
        "piecewise_linear": ([0, 0.5, 0.75, 1], 12),
        "piecewise_linear′": ([0, 1, 1, 0], 12),
        "sigmoid": ([0.26894, 0.5, 0.56218, 0.73106], 5),
        "sigmoid′": ([0.19661, 0.25, 0.24613, 0.19661], 5),
        "tanh": ([-0.76159, 0, 0.24492, 0.76159], 5),
        "tanh′": ([0.41997, 1, 0.94001, 0.41997], 5),
        "relu": ([0, 0, 0.25, 1], 12),
        "relu′": ([0, 0, 1, 1], 12),
        "leaky_relu": ([-0.01, 0, 0.25, 1], 12),
        "leaky_relu′": ([0.01, 0.01, 1, 1], 12),
    },
    "S2.dropout": {"rate 0.0": ([1, 1, 1, 1], 0), "rate 1.0": ([0, 0, 0, 0], 0)},
    "S2.points": {
        "line": (1, 0),
        "cross": (0.5, 1),
        "cross, with x3": (1, 0),
        "ring, with x3": (2 / 3, 6),
        "ring, linear layer": (2 / 3, 6),
        "ring, tanh layer": (1, 0),
    },
    "S3.det": {"|M|": (-2, 12)},
    "S3.eig": {
        "polynomial": ([1, -1, -6], 12),
        "λ": ([3, -2], 12),
        "v for λ = 3": ([1, 1], 12),
        "v for λ = −2": ([2, -3], 12),
    },
    "S3.derivative": {"f′": (2, 9), "gradient of x·x": ([2, 4], 9)},
    "S3.gd": {
        "x1": (4.8, 12),
        "x2": (3.84, 12),
        "x3": (3.072, 12),
        "y1": (23.04, 12),
        "y2": (14.7456, 12),
        "y3": (9.437184, 12),
        "h = 0.9 oscillates": ([6, -4.8, 3.84, -3.072], 12),
        "h = 1 bounces": ([6, -6, 6, -6], 12),
        "h = 1.1 diverges": ([6, -7.2, 8.64, -10.368], 12),
    },
    "S4.derivative": {
        "f(2)": (6, 12),
        "f(2.0001)": (6.00040001, 12),
        "slope at 2": (4, 9),
        "forward at 2": (4.0001, 9),
        "f(5)": (27, 12),
        "f(5.0001)": (27.00100001, 12),
        "slope at 5": (10, 9),
        "forward at 5": (10.0001, 9),
    },
    "S4.logistic": {
        "z": (5, 12),
        "a": (0.9933071491, 10),
        "loss": (0.0067153485, 10),
        "dz": (-0.0066928509, 10),
        "da": (-1.0067379470, 10),
        "dw1": (-0.0334642546, 10),
        "dw2": (-0.0200785528, 10),
        "db": (-0.0066928509, 10),
        "new w1": (0.5003346425, 10),
        "new w2": (0.5002007855, 10),
        "new b": (1.0000669285, 10),
        "z after": (5.002342, 6),
        "a after": (0.993323, 6),
        "loss after": (0.006700, 6),
    },
    "S4.softmax": {
        "t = e^z": ([148.413, 7.389, 0.368, 20.086], 3),
        "Σt": (176.256, 3),
        "a": ([0.84203357, 0.04192238, 0.00208719, 0.11395685], 8),
        "hard max": ([1, 0, 0, 0], 0),
        "a of (1, 3)": (1 / (1 + np.exp(-2.0)), 12),
    },
    "S4.mse": {"MSE": ((0.25 + 0.25 + 0 + 1) / 4, 12)},
    "S4.bce": {
        "L for y = 1": (-np.log(0.9), 12),
        "L for y = 0": (-np.log(0.8), 12),
        "J": (-(np.log(0.9) + np.log(0.8)) / 2, 12),
    },
    "S4.image": {"inputs": (192, 0), "weights": (960, 0), "with biases": (965, 0)},
    "S4.net": {"shape of W[1]": ([4, 3], 0), "parameters": (21, 0)},
}
A1, A2 = (
    1 / (1 + np.exp(-5.0)),
    1 / (1 + np.exp(-2.5)),
)  # σ(0.5·5 + 0.5·3 + 1), σ(0.5·1 + 0.5·2 + 1)
RIGHT["S4.loop"] = RIGHT["S4.vectorised"] = {
    "J": (-(np.log(A1) + np.log(1 - A2)) / 2, 12),
    "dw": ([(5 * (A1 - 1) + A2) / 2, (3 * (A1 - 1) + 2 * A2) / 2], 12),
    "db": ((A1 - 1 + A2) / 2, 12),
}
WORDS = {
    "S4.matmul": {
        "W·X": "(5, 1)·(5, 1) is impossible: the first has 1 column, the second 5 rows, and the "
        "two must be equal; turned, (1, 5)·(5, 1) works: (1, 1)",
        "Wᵀ·X": "(1, 5)·(5, 1) works: 5 columns meet 5 rows, the result has shape (1, 1)",
    },
}
SLIPS = {
    "S0.accuracy": ["sigmoid", "ReLU"],
    "S1.weight_decay": ["(λ/2m)·ΣW²"],
    "S3.det": ["|M|"],
    "S3.eig": ["v for λ = 3", "v for λ = −2"],
    "S3.derivative": ["gradient of x·x"],
    "S3.gd": ["y2"],
    "S4.derivative": ["slope at 5"],
    "S4.logistic": ["a", "dz", "da", "dw1", "dw2", "db", "new w1", "new w2", "new b"],
    "S4.loop": ["J", "dw", "db"],
}
SYLLABUS = """
S0.params S0.accuracy S2.lr S2.flatten S2.conv S2.maxpool S2.activations S2.dropout S2.points S3.det
S3.eig S3.derivative S3.gd S4.derivative S4.logistic S4.softmax S4.mse S4.bce S4.loop S4.vectorised
S4.image S4.matmul S4.net S1.net S1.weight_decay
""".split()

NUMBERS = [(id_, name) for id_, numbers in RIGHT.items() for name in numbers]
SENTENCES = [(id_, name) for id_, words in WORDS.items() for name in words]


def quantity(id_, name):
    return next(q for q in EXAMPLES[id_].quantities if q.name == name)


def test_every_id_of_the_syllabus_is_there_and_no_other():
    assert sorted(EXAMPLES) == sorted(SYLLABUS)
    assert [example.id for example in EXAMPLES.values()] == list(EXAMPLES)


def test_every_number_of_the_table_is_held_by_this_file():
    table = {(id_, q.name) for id_, example in EXAMPLES.items() for q in example.quantities}
    assert table == {*NUMBERS, *SENTENCES}


@pytest.mark.parametrize(("id_", "name"), NUMBERS)
def test_the_number_is_right(id_, name):
    value, digits = RIGHT[id_][name]
    found = quantity(id_, name)
    for result in (found.computed(), found.right):
        # the table's own right values are written to ten digits where they do not end
        tolerance = max(0.5 * 10.0**-digits, 5.1e-11)
        assert np.shape(result) == np.shape(value)
        assert np.allclose(result, value, rtol=0, atol=tolerance)


@pytest.mark.parametrize(("id_", "name"), SENTENCES)
def test_the_sentence_is_right(id_, name):
    assert quantity(id_, name).computed() == quantity(id_, name).right == WORDS[id_][name]


def test_the_slips_are_those_of_the_syllabus():
    found = {
        id_: [q.name for q in example.quantities if q.verdict == "slip"]
        for id_, example in EXAMPLES.items()
        if example.slip
    }
    assert found == SLIPS


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=lambda example: example.id)
def test_every_example_shows_its_steps(example: Example):
    assert example.deck in ("S0", "S1", "S2", "S3", "S4")
    assert render(example.steps())
    for number in example.quantities:
        assert isinstance(number.call, Measured) or "dlcourse" in number.call.function.__module__
        assert len(number.says) <= 60


AGREES = {
    "S0.params": ["weights", "biases", "parameters"],
    "S2.lr": ["step"],
    "S2.flatten": ["flattened"],
    "S2.conv": ["first value", "feature map"],
    "S2.maxpool": ["max"],
    "S2.activations": ["unit_step", "sign"],
    "S3.eig": ["polynomial", "λ"],
    "S3.derivative": ["f′"],
    "S3.gd": ["x1", "x2", "y1"],
    "S4.derivative": ["f(2)", "f(2.0001)", "slope at 2", "f(5)", "f(5.0001)"],
    "S4.logistic": ["z"],
    "S4.softmax": ["a", "hard max"],
    "S4.image": ["inputs"],
    "S4.net": ["shape of W[1]"],
}


def test_only_rows_with_a_slides_number_agree():
    for id_, example in EXAMPLES.items():
        found = [q.name for q in example.quantities if q.verdict == "agrees"]
        assert found == AGREES.get(id_, [])
        assert all(q.numbers for q in example.quantities if q.verdict == "agrees")


@pytest.mark.parametrize(
    ("says", "slide", "verdict"),
    [("4.8", "", "agrees"), ("5.8", "", "slip"), ("4.75", "", "slip"), ("4.80", "", "agrees"),
     ("5", "", "slip"), ("x1 = 4.8", "4.8", "agrees"), ("x1 = 4.8", "", ""), ("4.8, 3", "", "slip"),
     ("", "", ""), ("−4.8", "", "slip"), ("4.8 …", "", "agrees")],
)  # fmt: skip
def test_the_verdict_is_computed_to_the_digits_that_the_slide_gives(says, slide, verdict):
    x1 = quantity("S3.gd", "x1")
    assert Quantity(x1.call, "x1", says, 4.8, "1", slide).verdict == verdict


@pytest.mark.parametrize("id_", AGREES)
def test_any_other_number_would_be_a_slip(id_):
    for q in (quantity(id_, name) for name in AGREES[id_]):
        for i, word in enumerate(q.numbers):
            digit = "8" if word[-1] != "8" else "3"
            changed = [*q.numbers[:i], word[:-1] + digit, *q.numbers[i + 1 :]]
            assert q._replace(slide=" ".join(changed)).verdict == "slip", (q.name, changed)


TEX = [  # how the slides' text writes it, where it is not said in the same characters
    (r"\\(begin|end)\{[a-z]+\}|\\(left|right|,|phi|dot|cdot|lambda|hat|quad)\b|&", ""),
    (r"\\frac\{(.*?)\}\{(.*?)\}", r"(\1)/(\2)"),
    (r"[−–]", "-"),
    (r"[×]", "x"),
    (r"\\times", "x"),
    (r"[\s\\$*{}_^·•.λ?|]", ""),
]
SAID = {  # says, where the slide's own words are these
    ("S1.net", "weights as printed"): ["W_{23}X_3", "$$b = v_1 h_1 + v_2 h_2$$"],
    ("S1.weight_decay", "(λ/2m)·ΣW²"): [
        r"L = (\sum_{i} L_{i}^{2} + \lambda . \sum_{i} ||\mathbf{w}||_{F}^{2}) / m"
    ],
    ("S2.activations", "unit_step"): [r"0, & z < 0, \\ 0.5, & z = 0, \\ 1, & z > 0"],
    ("S2.activations", "piecewise_linear"): [r"z + \frac{1}{2}, & -\frac{1}{2} < z < \frac{1}{2}"],
    ("S2.activations", "sigmoid"): [r"\frac{1}{1 + e^{-z}}"],
    ("S2.activations", "tanh"): [r"\frac{e^z - e^{-z}}{e^z + e^{-z}}"],
    ("S2.activations", "relu"): [r"y = x \text{ if } x > 0", r"0 \text{ otherwise}"],
    ("S3.derivative", "f′"): ["f'(x) = 2$$"],
    ("S3.eig", "polynomial"): [r"\lambda^2 - \lambda - 6 = 0"],
    ("S3.eig", "λ"): [r"\lambda = 3", r"\lambda = -2"],
    ("S3.eig", "v for λ = 3"): ["x_1 - 2x_2 = 3x_1", r"-2 \\ -2"],
    ("S3.gd", "y2"): ["14.74"],
    ("S4.logistic", "a"): [r"a &= 0.99307 \approx 0.0023"],
    ("S4.logistic", "dz"): ["a - y = -0.00693", "-0.00695"],
    ("S4.softmax", "t = e^z"): [r"e^5 \\ e^2 \\ e^{-1} \\ e^3"],
    ("S4.softmax", "a"): [r"0.842 \\ 0.042 \\ 0.002 \\ 0.114"],
    ("S4.softmax", "hard max"): ["“Hard Max”"],
    ("S4.softmax", "a of (1, 3)"): ["If  $c=2$ , softmax reduces to logistic regression."],
    ("S4.mse", "MSE"): [r"\frac{1}{m} \sum_{i=1}^m (\hat{Y}_i - Y_i)^2"],
    ("S4.bce", "L for y = 1"): [r"-\log \hat{y}"],
    ("S4.bce", "L for y = 0"): [r"-\log(1-\hat{y})"],
    ("S4.bce", "J"): [r"\frac{1}{m} \sum_{i=1}^m L"],
    ("S4.vectorised", "dw"): [r"\frac{1}{m} X dZ^T"],
    ("S4.vectorised", "db"): [r"\frac{1}{m} np.sum(dz)"],
    ("S4.matmul", "Wᵀ·X"): ["(1X5)", "(5X1)"],
    ("S4.net", "shape of W[1]"): ["$w_{11}$", "$w_{12}$", "$w_{43}$"],
}


def plain(text: str) -> str:
    for pattern, better in TEX:
        text = re.sub(pattern, better, text)
    return text


SAYING = [(id_, q) for id_, e in EXAMPLES.items() for q in e.quantities if q.says]


@pytest.mark.skipif(not SLIDES.exists(), reason=f"needs {SLIDES}")
@pytest.mark.parametrize(("id_", "q"), SAYING, ids=lambda part: getattr(part, "name", part))
def test_what_the_slide_says_is_in_its_deck(id_, q):
    if q.says == "(missing)":
        return
    deck = "0" if "(S0)" in q.says else id_[1]
    text = next(SLIDES.glob(f"00{deck}_*.txt")).read_text(encoding="utf-8")
    if (id_, q.name) in SAID:
        assert all(words in text for words in SAID[id_, q.name])
        return
    for words in re.split(r"[,…=]| at | or |if ", q.says.replace("(S0)", "")):
        assert plain(words) in plain(text), words


def test_measured_numbers_are_those_of_the_benchmark():
    recipes = Path(__file__).parents[1] / "benchmarks/recipes.json"
    results = json.loads(recipes.read_text(encoding="utf-8"))
    names = ["mnist_784_16_16_10_sigmoid", "mnist_784_16_16_10_relu", "mnist_softmax"]
    for name, q in zip(names, EXAMPLES["S0.accuracy"].quantities, strict=True):
        accuracy = {k: 100 * v for k, v in results[name]["test"]["accuracy"].items()}
        assert q.computed() == pytest.approx(accuracy["mean"], abs=0.005)
        assert q.call.range == f"{accuracy['min']:.2f}–{accuracy['max']:.2f}"
        assert name in q.call.command
        assert q.shown().startswith("measured: ")


def test_a_call_reads_as_it_is_written():
    assert str(quantity("S4.logistic", "z").call) == (
        "regression.logistic_step(x=(5, 3), w=(0.5, 0.5), b=1, y=1, learning_rate=0.01)"
    )
    assert (
        str(quantity("S4.image", "inputs").call)
        == "convolution.flatten(image=array of shape (8, 8, 3))"
    )
    assert "gradient=twice" in str(quantity("S3.gd", "x1").call)


def test_every_statement_of_the_syllabus_is_corrected():
    assert sorted(STATEMENTS) == sorted(
        "S0.minima S1.initialise S1.neuron S2.gradient S3.relu S3.range S3.sequence S4.variables "
        "S4.tanh S4.differentiable S4.left S4.squaring".split()
    )
    assert "uphill" in STATEMENTS["S2.gradient"].correction
    assert "2σ(2z) − 1" in STATEMENTS["S4.tanh"].correction


@pytest.mark.skipif(not SLIDES.exists(), reason=f"needs {SLIDES}")
@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=lambda statement: statement.id)
def test_the_statement_is_quoted_from_its_deck(statement):
    deck = next(SLIDES.glob(f"00{statement.deck[1]}_*.txt")).read_text(encoding="utf-8")
    assert statement.says in " ".join(deck.replace("*", "").split())


def test_steps_are_rendered_one_under_another():
    steps = [Step("a", "b + c", "1 + 2", 3), Step("so it is"), Step("long", "", "", [1.5, -0.0])]
    assert render(steps) == "a = b + c\n  = 1 + 2\n  = 3\nso it is\nlong = (1.5, 0)"


def test_numbers_are_shown_to_ten_digits():
    assert show(1 / 3) == "0.3333333333"
    assert show(1 / 3, digits=3) == "0.333"
    assert show(13002) == "13,002"
    assert show([[1, 2], [3, 4]]) == "[(1, 2), (3, 4)]"
