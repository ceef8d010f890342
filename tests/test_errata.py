import json
import re
import resource
import subprocess
import sys

import pytest

from dlcourse.commands.errata import main
from dlcourse.errors import UserError
from dlcourse.lessons import errata
from dlcourse.lessons.maths.steps import render, show
from dlcourse.lessons.maths.worked_examples import EXAMPLES, STATEMENTS

STEPPED = {"S4.logistic", "S4.mse", "S4.bce", "S4.loop", "S4.vectorised", "S1.weight_decay"}
STEPPED |= {"S2.conv", "S3.det"}  # the rows whose numbers the steps arrive at


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dlcourse", "errata", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_table_has_every_number_and_every_statement(capsys):
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines]
    assert ["S4.logistic", "a", "0.99307 ≈ 0.0023", "0.9933071491", "slip"] in rows
    assert ["S2.lr", "step", "0.025", "0.025", "agrees"] in rows
    for example in EXAMPLES.values():
        rows = [line for line in lines if line.startswith(f"{example.id} ")]
        assert len(rows) == len(example.quantities)
    for statement in STATEMENTS.values():
        assert any(line.startswith(f'{statement.id}: "') for line in lines)
    assert max(map(len, lines)) <= 100


def test_an_example_is_shown_step_by_step_with_symbols_and_numbers(capsys):
    assert main(["--id", "S4.logistic"]) == 0
    text = capsys.readouterr().out
    assert "L = −(y·log a + (1 − y)·log(1 − a))\n  = −(1·log 0.9933071491 + (1 − 1)·log(" in text
    assert "z = w·x + b\n  = 0.5·5 + 0.5·3 + 1\n  = 5\n" in text
    assert (
        "new w1 = w1 − α·dw1\n       = 0.5 − 0.01·(−0.03346425462)\n       = 0.5003346425\n" in text
    )
    assert "lose a factor 10" in text


@pytest.mark.parametrize("id_", [*EXAMPLES, *STATEMENTS])
def test_every_id_can_be_shown_on_100_columns(id_, capsys):
    assert main(["--id", id_]) == 0
    text = capsys.readouterr().out
    assert text.startswith((id_, "\nStatements that are not right"))
    assert max(map(len, text.splitlines())) <= 100
    if id_ in EXAMPLES and EXAMPLES[id_].walkthrough:  # else calls, in Python's own signs
        assert not re.search(r"(?<!\w)-\d", text)  # one minus sign everywhere


@pytest.mark.parametrize("id_", [id_ for id_, example in EXAMPLES.items() if example.walkthrough])
def test_the_steps_reach_the_numbers_of_the_table(id_):
    text = render(EXAMPLES[id_].steps())
    for q in EXAMPLES[id_].quantities:
        if id_ in STEPPED:
            assert any(f"= {show(q.computed(), n)}" in text for n in (10, 6)), q.name


def test_a_notebook_shows_numbers_and_statements_by_their_ids():
    lines = errata.show("S2.lr", "S3.relu").splitlines()
    assert lines[0].split() == ["id", "quantity", "the", "slide", "says", "computed"]
    assert lines[2].split() == ["S2.lr", "step", "0.025", "0.025", "agrees"]
    assert lines[-2:] == [
        'S3.relu: "Converts negative values to positive"',
        "  → ReLU turns negative values into 0.",
    ]
    with pytest.raises(UserError, match=r"unknown id 'S3\.relo' \(did you mean 'S3\.relu'\?\)"):
        errata.show("S3.relo")


def test_json_holds_the_same(capsys):
    assert main(["--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [example["id"] for example in data["examples"]] == list(EXAMPLES)
    assert [statement["id"] for statement in data["statements"]] == list(STATEMENTS)
    logistic = next(example for example in data["examples"] if example["id"] == "S4.logistic")
    a = next(number for number in logistic["quantities"] if number["name"] == "a")
    assert a["computed"] == pytest.approx(0.9933071491, abs=5e-11)
    assert (a["slide"], a["right"], a["verdict"]) == ("0.99307 ≈ 0.0023", 0.9933071491, "slip")
    assert a["slide_numbers"] == ["0.99307"]
    assert a["call"].startswith("regression.logistic_step(x=(5, 3)")


def test_json_of_one_example(capsys):
    assert main(["--json", "--id", "S3.gd"]) == 0
    assert [example["id"] for example in json.loads(capsys.readouterr().out)["examples"]] == [
        "S3.gd"
    ]


def test_an_unknown_id_is_one_line_with_a_guess_and_the_list():
    result = run("--id", "S4.logistik")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith(
        "dlcourse errata: unknown id 'S4.logistik' (did you mean 'S4.logistic'?); known: S0"
    )


def test_an_unknown_option_is_one_line():
    result = run("--all")
    assert (result.returncode, result.stderr) == (
        2,
        "dlcourse errata: unrecognized arguments: --all\n",
    )


def test_it_takes_less_than_a_second():
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert run().returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 1  # what it must not load is in test_light_start.py


def test_help_does_not_even_load_numpy():
    code = (
        "import sys, contextlib, dlcourse.commands.errata as c\n"
        "with contextlib.suppress(SystemExit): c.main(['--help'])\n"
        "print('numpy' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "show one example step by step" in result.stdout
    assert result.stdout.endswith("False\n")


def test_the_table_loads_neither_keras_nor_matplotlib():
    code = (
        "import sys, dlcourse.commands.errata as c\n"
        "c.main([])\n"
        "print({'keras', 'tensorflow', 'matplotlib', 'scipy', 'sklearn'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.endswith("set()\n")
