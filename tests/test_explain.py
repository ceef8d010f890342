import subprocess
import sys

import pytest

from dlcourse.errata import main as errata
from dlcourse.explain import TOPICS, main


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
    assert "z = w·x + b\n  = 0.5·1 + 1·(-2) + 0\n  = -1.5\n" in text
    assert "dw2 = ∂L/∂w2 = x2·dz\n    = -2·0.1824255238\n    = -0.3648510476\n" in text
    assert "new w2 = w2 − α·dw2\n       = 1 − 0.5·(-0.3648510476)\n       = 1.182425524\n" in text


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
    assert "x1 = x0 − h·f′(x0)\n   = 6 − 1.1·12\n   = -7.2\nf(x1) = 51.84\n" in text
    assert text.endswith("so far it diverges\n")
    text = said(
        capsys, *"gradient-descent --coefficients 1 -4 7 --start 6 --momentum 0.5 --steps 2".split()
    )  # f′ = 2x − 4: 6 − 0.8 = 5.2, then 5.2 − 0.64 − 0.4
    assert "f(x) = x² − 4x + 7\nf′(x) = 2x − 4\n" in text
    assert "= 5.2 − 0.1·6.4 + 0.5·(-0.8)\n   = 4.16\n" in text


def test_convolution(capsys):
    text = said(capsys, "convolution", "--image", "1 2 3; 4 5 6; 7 8 9", "--kernel", "1 0; 0 -1")
    assert "[1,1] = 1·1 + 2·0 + 4·0 + 5·(-1)\n      = -4\n" in text
    assert text.endswith("feature map = [(-4, -4), (-4, -4)]\n")
    text = said(
        capsys, "convolution", "--image", "1 2; 3 4", "--kernel", "1 1 1; 1 1 1; 1 1 1",
        "--padding", "same", "--stride", "2",
    )  # fmt: skip
    # one row and column of zeros in all, at the end: the first cell sees the whole image
    assert text.endswith("feature map = [(10)]\n")


def test_network(capsys):
    text = said(capsys, *"network --sizes 2 1 --activations sigmoid --x 1 2 --y 1".split())
    assert "layer 1 = (inputs + 1 bias)·neurons\n        = (2 + 1)·1\n        = 3\n" in text
    for symbol in (
        "z1[1] = ",
        "a[1] = sigmoid(z[1])",
        "dz[1] = ",
        "dW[1] = ",
        "db[1] = ",
        "da[0] = ",
    ):
        assert symbol in text


@pytest.mark.parametrize("topic", TOPICS)
def test_without_numbers_the_slides_own_are_taken(topic, capsys):
    assert said(capsys, topic)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("logistic --x 1 2 3", "dlcourse.explain: logistic: w: expected shape (3,), got (2,)"),
        ("logistic --b nan", "dlcourse.explain: logistic: b: expected finite numbers, got nan"),
        ("logistic --y 2", "logistic: y: expected a number from 0 to 1, got 2.0"),
        ("logistic --x a", "argument --x: invalid float value: 'a'"),
        ("softmax --temperature 0", "softmax: temperature: expected a number above 0, got 0.0"),
        ("gradient-descent --steps -1", "steps: expected an integer of at least 0, got -1"),
        ("gradient-descent --learning-rate 2 --steps 999", "step 645: expected finite numbers"),
        ("convolution --stride 0", "stride: expected an integer of at least 1, got 0"),
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
    assert "--image: expected rows of equally many numbers such as '1 2; 3 4', got" in refused(
        capsys, "convolution", "--image", text
    )


def test_help_does_not_even_load_numpy():
    code = (
        "import sys, contextlib, dlcourse.explain as c\n"
        "with contextlib.suppress(SystemExit): c.main(['logistic', '--help'])\n"
        "print('numpy' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.endswith("False\n")


def test_it_runs_as_a_module():
    result = subprocess.run(
        [sys.executable, "-m", "dlcourse.explain", "softmax"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.startswith("t = e^(z)")
