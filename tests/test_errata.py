import json
import resource
import subprocess
import sys

import pytest

from dlcourse.errata import main
from dlcourse.maths.worked_examples import EXAMPLES, STATEMENTS


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dlcourse.errata", *arguments],
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
    assert "z = w·x + b\n  = 0.5·5 + 0.5·3 + 1\n  = 5\n" in text
    assert (
        "new w1 = w1 − α·dw1\n       = 0.5 − 0.01·(-0.03346425462)\n       = 0.5003346425\n" in text
    )
    assert "lose a factor 10" in text


@pytest.mark.parametrize("id_", [*EXAMPLES, *STATEMENTS])
def test_every_id_can_be_shown(id_, capsys):
    assert main(["--id", id_]) == 0
    assert capsys.readouterr().out.startswith((id_, "\nStatements that are not right"))


def test_json_holds_the_same(capsys):
    assert main(["--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [example["id"] for example in data["examples"]] == list(EXAMPLES)
    assert [statement["id"] for statement in data["statements"]] == list(STATEMENTS)
    logistic = next(example for example in data["examples"] if example["id"] == "S4.logistic")
    a = next(number for number in logistic["quantities"] if number["name"] == "a")
    assert a["computed"] == pytest.approx(0.9933071491, abs=5e-11)
    assert (a["slide"], a["right"], a["slip"]) == ("0.99307 ≈ 0.0023", 0.9933071491, True)
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
        "dlcourse.errata: unknown id 'S4.logistik' (did you mean 'S4.logistic'?); known: S0"
    )


def test_an_unknown_option_is_one_line():
    result = run("--all")
    assert (result.returncode, result.stderr) == (
        2,
        "dlcourse.errata: unrecognized arguments: --all\n",
    )


def test_it_takes_less_than_a_third_of_a_second():
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert run().returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.3


def test_help_does_not_even_load_numpy():
    code = (
        "import sys, contextlib, dlcourse.errata as c\n"
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
        "import sys, dlcourse.errata as c\n"
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
