import re
import subprocess
import sys

import numpy as np
import pytest

from dlcourse.commands.errata import main as errata
from dlcourse.commands.explain import main
from dlcourse.lessons.maths import walkthroughs as walk
from dlcourse.lessons.maths.network import Network
from dlcourse.lessons.maths.quantities import call
from dlcourse.lessons.maths.steps import render, show
from dlcourse.lessons.maths.worked_examples import EXAMPLES, POOLED


def said(capsys, *arguments: str) -> str:
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


def refused(capsys, *arguments: str) -> str:
    with pytest.raises(SystemExit) as exit_:
        main(list(arguments))
    assert exit_.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def test_logistic_with_the_students_numbers(capsys):
    text = said(
        capsys, *"logistic --x 1 -2 --w 0.5 1 --b 0 --y 0 --learning-rate 0.5".split()
    )  # z = 0.5 − 2, a = σ(−1.5) = 0.1824255238
    assert "z = w·x + b\n  = 0.5·1 + 1·(−2) + 0\n  = −1.5\n" in text
    assert "L = −(y·log a + (1 − y)·log(1 − a))\n" in text
    assert "dz = ∂L/∂z = da·a(1 − a) = a − y\n   = 0.1824255238 − 0\n   = 0.1824255238\n" in text
    assert "dw2 = ∂L/∂w2 = x2·dz\n    = −2·0.1824255238\n    = −0.3648510476\n" in text
    assert "new w2 = w2 − α·dw2\n       = 1 − 0.5·(−0.3648510476)\n       = 1.182425524\n" in text


def test_logistic_shows_what_errata_shows(capsys):
    steps = said(capsys, *"logistic --x 5 3 --w 0.5 0.5 --b 1 --y 1 --learning-rate 0.01".split())
    errata(["--id", "S4.logistic"])
    assert steps in capsys.readouterr().out


def test_softmax(capsys):
    text = said(capsys, *"softmax --z 5 2 -1 3".split())
    assert "a1 = t1/Σt\n   = 148.4131591/176.2556316\n   = 0.8420335724\n" in text
    assert "Σt = t1 + t2 + t3 + t4\n   = 176.2556316\n" in text
    assert "e^(z/2)" in said(capsys, *"softmax --z 1 2 --temperature 2".split())
    assert "e^(z − 1000)\n  = (1, 0)" in said(capsys, *"softmax --z 1000 -1000".split())


def test_gradient_descent(capsys):
    text = said(capsys, *"gradient-descent --start 6 --learning-rate 1.1 --steps 2".split())
    assert "x1 = x0 − h·f′(x0)\n   = 6 − 1.1·12\n   = −7.2\nf(x1) = 51.84\n" in text
    assert text.endswith("so far it diverges\n")
    text = said(
        capsys, *"gradient-descent --coefficients 1 -4 7 --start 6 --momentum 0.5 --steps 2".split()
    )  # f′ = 2x − 4: 6 − 0.8 = 5.2, then 5.2 − 0.64 − 0.4
    assert "f(x) = x² − 4x + 7\nf′(x) = 2x − 4\n" in text
    assert "= 5.2 − 0.1·6.4 + 0.5·(−0.8)\n   = 4.16\n" in text


def test_convolution(capsys):
    text = said(capsys, "convolution", "--image", "1 2 3; 4 5 6; 7 8 9", "--kernel", "1 0; 0 -1")
    assert "[1,1] = 1·1 + 2·0 + 4·0 + 5·(−1)\n      = −4\n" in text
    assert text.endswith("feature map = [(−4, −4), (−4, −4)]\n")
    text = said(
        capsys, "convolution", "--image", "1 2; 3 4", "--kernel", "1 1 1; 1 1 1; 1 1 1",
        "--padding", "same", "--stride", "2",
    )  # fmt: skip
    # one row and column of zeros in all, at the end: the first cell sees the whole image
    assert text.endswith("feature map = [(10)]\n")


def test_attention(capsys):
    # q1 = (1, 0)·W_q = (2, 0) and k = (0, 1), (1, 1), (1, 2): scores 0, 2, 2; e^√2 = 4.11325
    text = said(capsys, "attention")
    assert "Q = X·W_q\n  = [(1, 0), (0, 1), (1, 1)]·[(2, 0), (1, 1)]\n" in text
    assert "  = [(2, 0), (1, 1), (3, 1)]\nK = X·W_k\n" in text
    assert "s[1,1] = 2·0 + 0·1\n       = 0\ns[1,2] = 2·1 + 0·1\n       = 2\n" in text
    assert "z = s/√d\n  = (0, 2, 2)/√2\n  = (0, 1.414213562, 1.414213562)\n" in text
    assert "a2 = t2/Σt\n   = 4.113250379/9.226500758\n   = 0.4458082741\n" in text
    assert "Σa = 0.1083834518 + 0.4458082741 + 0.4458082741\n   = 1\n" in text
    # 0.10838·(1, 2) + 0.44581·((3, 0) + (4, 2))
    assert "0.4458082741·(4, 2)\n         = (3.229041371, 1.108383452)\n" in text
    assert text.count("Σa") == 3


def test_causal_attention_looks_back_alone(capsys):
    text = said(capsys, "attention", "--causal")
    assert "causal: j ≤ i, no token looks ahead\n" in text
    assert "output 1 = a1·v[1]\n         = 1·(1, 2)\n         = (1, 2)\n" in text
    assert "s[1,2]" not in text
    whole = said(capsys, "attention")
    assert text.partition("token 3")[2] == whole.partition("token 3")[2]


def test_a_saturated_neuron_is_computed_from_z(capsys):
    text = said(capsys, *"logistic --x 1000 3 --y 0".split())
    assert "inf" not in text
    assert "da =" not in text
    assert (
        "L = max(z, 0) − z·y + log(1 + e^−|z|)\n  = 502.5 − 502.5·0 + log(1 + e^−502.5)\n" in text
    )


def test_any_logits_and_temperature(capsys):
    text = said(capsys, *"softmax --z -2 -3 --temperature 0.001".split())
    assert "t = e^((z − (−2))/0.001)\n  = (1, 0)\n" in text
    text = said(capsys, *"softmax --z 1e300 2 --temperature 1e-10".split())
    assert "hard max = 1 at the largest z\n         = (1, 0)" in text


def test_negative_numbers_in_every_notation(capsys):
    text = said(capsys, *"logistic --x 5 3 --w -1e-3 .5 --b -1e3 --y 0".split())
    assert "= (−0.001)·5 + 0.5·3 + (−1000)\n" in text
    assert "f(x) = x³ − 0.001x\n" in said(
        capsys, *"gradient-descent --coefficients 1 0 -1e-3 0 --start −0.5".split()
    )
    assert "steps: expected an integer of at least 0, got -1" in refused(
        capsys, *"gradient-descent --steps -1".split()
    )


def test_network_shows_back_propagation_with_its_formulas(capsys):
    text = said(capsys, *"network --sizes 2 2 1 --x 1 2 --y 1".split())
    assert "layer 1 = (inputs + 1 bias)·neurons\n        = (2 + 1)·2\n        = 6\n" in text
    for formula in (
        "a[1] = tanh(z[1])",
        "binary_cross_entropy = −(y·log a + (1 − y)·log(1 − a))",
        "dz[2] = a[2] − y",
        "dW[2] = dz[2]·a[1]ᵀ",
        "da[1] = W[2]ᵀ·dz[2]",
        "dz[1] = da[1]·tanh′(z[1])",
        "db[1] = dz[1]",
        "new W[1] = W[1] − α·dW[1]",
        "new b[2] = b[2] − α·db[2]",
    ):
        assert formula + "\n" in text
    text = said(capsys, *"network --sizes 2 2 --activations tanh --x 1 2 --y 1 0".split())
    assert "mse = Σ(a − y)²/k\n" in text
    assert "da[1] = 2·(a − y)/k\n" in text


def test_the_networks_numbers_are_the_networks():
    activations = ("relu", "tanh", "softmax")
    found = {s.symbol: s.value for s in walk.network((2, 3, 4, 2), activations, (1, -2), (0, 1))}
    net = Network((2, 3, 4, 2), activations, layout="slides")
    x, y = [[1], [-2]], [[0], [1]]
    back, forward = net.backward(x, y), net.forward(x)
    for layer in (1, 2, 3):
        assert found[f"a[{layer}]"] == show(forward.a[layer][:, 0], 6)
        assert found[f"dz[{layer}]"] == show(back.dz[layer - 1][:, 0], 6)
        assert found[f"dW[{layer}]"] == show(back.dW[layer - 1], 4)
    net.step(x, y, 0.1)
    assert found["new W[2]"] == show(net.W[1], 4)
    assert found["new b[3]"] == show(net.b[2][:, 0], 4)
    assert found["L after"] == show(net.loss(x, y), 6)


def evaluate(text):
    """The number, or array, that a text such as `0.5·(−2) + log 0.9` says."""
    for pattern, better in [
        (r"(\d),(\d{3})", r"\1\2"), ("−", "-"), ("·", "*"), ("²", "**2"),
        (r"log ([\d.]+)", r"log(\1)"),
        (r"√(\d+)", r"sqrt(\1)"),
        (r"e\^(-?)(\([-\d.]+\)|[\d.]+)", r"exp(\1\2)"), (r"\(([^()]*, [^()]*)\)", r"array([\1])"),
    ]:  # fmt: skip
        text = re.sub(pattern, better, text)
    return eval(text, {name: getattr(np, name) for name in ("log", "exp", "sqrt", "array")})


EQUATIONS = {id_: e.walkthrough for id_, e in EXAMPLES.items() if e.walkthrough}
EQUATIONS |= {
    "logistic": call(walk.logistic, x=(1, -2, 0.3), w=(0.5, 1, -4), b=-0.2, y=0, learning_rate=0.5),
    "saturated": call(walk.logistic, x=(40,), w=(-1,), b=0, y=1, learning_rate=0.5),
    "softmax": call(walk.softmax_steps, z=(-1, 0.5, 3), temperature=0.7),
    "descent": call(walk.descent, coefficients=(1, -4, 7), start=-6, learning_rate=0.1, steps=4,
                    momentum=0.5),
    "same": call(walk.convolution, image=((1, -2), (3, 4)), kernel=((1, 2, 3),) * 3,
                 padding="same"),
    "attention": call(walk.attention, X=((1, -2), (0.5, 3), (0, 1)), W_q=((1, 0, 2), (0, -1, 1)),
                      W_k=((0, 1, 1), (2, 0, -1)), W_v=((1, 2), (3, -1)), causal=True),
    "mse": call(walk.network, sizes=(2, 2, 1), activations=("relu", "sigmoid"), x=(1, 2), y=(0.3,)),
    "linear": call(walk.network, sizes=(2, 1), activations=("linear",), x=(1, 2), y=(-3,)),
    "two outputs": call(walk.network, sizes=(2, 3, 2), activations=("tanh", "sigmoid"), x=(1, 2),
                        y=(0, 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", EQUATIONS)
def test_every_equation_is_true(name):
    checked = 0
    for step in EQUATIONS[name].result:
        if step.numbers and "ᵀ" not in step.numbers and "]·" not in step.numbers + step.symbol:
            value = step.value
            if isinstance(value, str):
                value = evaluate(value.partition(", ")[0] if "class" in value else value)
            # a network's numbers are shown to four digits, the others' to ten
            digits = 2e-3 if "network" in str(EQUATIONS[name]) or "points" in name else 1e-7
            assert np.allclose(evaluate(step.numbers), value, rtol=digits, atol=digits), step
            checked += 1
    assert checked or name in ("S2.maxpool", "S3.eig"), "nothing to check"


def test_pooling_and_difference_quotients_show_their_numbers():
    regions = [step.formula for step in walk.pooling(POOLED)[:4]]
    assert regions == ["max(1, 3, 7, 4)", "max(2, 9, 1, 5)", "max(8, 5, 4, 2)", "max(2, 3, 1, 4)"]
    text = render(walk.difference_quotient((1, 0, 2), 2))
    assert (
        "forward = (f(x + h) − f(x))/h\n        = (6.00040001 − 6)/0.0001\n        = 4.0001\n"
        in text
    )
    assert "central = (f(x + h) − f(x − h))/2h\n        = 4\n" in text


def test_without_numbers_the_slides_own_are_taken(capsys):
    for topic, id_ in {"logistic": "S4.logistic", "softmax": "S4.softmax", "gradient-descent":
                       "S3.gd", "convolution": "S2.conv", "network": "S1.net"}.items():  # fmt: skip
        assert said(capsys, topic) == render(EXAMPLES[id_].steps()) + "\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "logistic --x 1 2 3",
            "dlcourse explain: logistic: w: expected shape (3,), got (2,)",
        ),
        (
            "logistic --b nan",
            "dlcourse explain: logistic: b: expected finite numbers, got nan",
        ),
        ("logistic --y 2", "logistic: y: expected a number from 0 to 1, got 2.0"),
        ("logistic --x a", "argument --x: invalid number value: 'a'"),
        ("softmax --temperature 0", "softmax: temperature: expected a number above 0, got 0.0"),
        ("gradient-descent --steps -1", "steps: expected an integer of at least 0, got -1"),
        ("gradient-descent --learning-rate 2 --steps 999", "step 645: expected finite numbers"),
        ("convolution --stride 0", "stride: expected an integer of at least 1, got 0"),
        ("attention --W_k 1;1;1", "W_k: expected shape (2, 2) or (2, 1, 2), got (3, 1)"),
        ("attention --W_v nan;1", "attention: W_v: expected finite numbers, got nan at position"),
        ("network --activations tanh", "activations: expected 2 names, one per layer after the"),
        ("network --activations tanh rely", "activations: expected one of unit_step, sign"),
        ("network --x 1", "network: x: expected shape (3,), got (1,)"),
        ("logistc", "argument topic: invalid choice: 'logistc'"),
        ("", "the following arguments are required: topic"),
    ],
)
def test_a_mistake_is_one_line(arguments, message, capsys):
    assert message in refused(capsys, *arguments.split())


@pytest.mark.parametrize("text", ["1 2; 3", "", "1 x"])
def test_an_image_needs_rows_of_equal_length(text, capsys):
    assert "--image: expected rows of equal length such as '1 2; 3 4', got" in refused(
        capsys, "convolution", "--image", text
    )


def test_help_does_not_even_load_numpy():
    code = (
        "import sys, contextlib, dlcourse.commands.explain as c\n"
        "with contextlib.suppress(SystemExit): c.main(['logistic', '--help'])\n"
        "print('numpy' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.endswith("False\n")


def test_it_runs_as_a_module():
    result = subprocess.run(
        [sys.executable, "-m", "dlcourse", "explain", "softmax"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.startswith("t = e^(z)")
