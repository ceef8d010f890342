"""Every exercise accepts what is right in any form, and says of what is wrong what is wrong."""

from fractions import Fraction
from itertools import count, pairwise
from pathlib import Path

import numpy as np
import pytest

from dlcourse.errors import UserError
from dlcourse.lessons.exercises import NOTEBOOKS, check, exercises, hint, solution
from dlcourse.lessons.exercises.answers import (
    as_float,
    as_truth,
    as_word,
    choice_check,
    close,
    number_check,
    numbers,
    tried,
    unordered,
)
from dlcourse.lessons.exercises.exercise import Mistake, NotAttempted, Wrong
from dlcourse.lessons.exercises.networks import parameters, share_right, trained_model

ROOT = Path(__file__).parent.parent
SOURCES = {path.stem[:2]: path for path in sorted((ROOT / "notebooks").glob("[0-9]*.py"))}
TABLE = {name: task for notebook in SOURCES for name, task in exercises(notebook).items()}
# The answers to "build" are networks, each trained for a second or more: the solutions as they are
# pasted are in the slow tests, the others are measured when they change.
ANSWERED, PASTED = (
    [
        pytest.param(name, marks=mark if task.level == "build" else ())
        for name, task in TABLE.items()
    ]
    for mark in (pytest.mark.seeds, pytest.mark.slow)
)
LEVELS = ("quick", "complete", "build")


def raising(*_):
    raise RuntimeError("a student's mistake")


class Hostile:
    """An object that refuses everything that a checker could ask of it."""

    def __getattribute__(self, name):
        raise RuntimeError(name)


# fmt: off
GARBAGE = [
    None, "", "no idea", [], {}, set(), float("nan"), float("inf"), 10**400, True, 1j, b"x",
    raising, lambda: None, lambda *_: None, lambda *_: "x", lambda *_: [[1], [2, 3]],
    lambda *_: np.zeros(0), lambda *_: object(),
    object(), Hostile(), Exception, count(), iter([]), range(10**12), [[1, 2], [3]], [None],
    np.zeros(2_000_000), np.array([]), np.full(3, np.nan), np.array("text"),
]
# fmt: on


@pytest.mark.parametrize("notebook", SOURCES)
def test_a_notebook_ends_with_its_exercises_in_rising_levels(notebook):
    import jupytext

    assert SOURCES[notebook].stem == f"{notebook}_{NOTEBOOKS[notebook]}"
    cells = jupytext.read(SOURCES[notebook]).cells
    words = " ".join(" ".join(c.source.split()) for c in cells if c.cell_type == "markdown")
    levels = [exercise.level for exercise in exercises(notebook).values()]
    assert levels == sorted(levels, key=LEVELS.index)
    assert levels.count("quick") == 3
    assert "complete" in levels
    assert "build" in levels or notebook < "06"
    for exercise in exercises(notebook).values():
        assert " ".join(exercise.question.split()) in words


@pytest.mark.parametrize("name", ANSWERED)
def test_the_solution_and_every_equivalent_form_are_right(name):
    pasted = TABLE[name].level == "build"  # trained once, as it is pasted
    for answer in (*([] if pasted else [TABLE[name].solution]), *TABLE[name].equivalents):
        assert check(name, answer), (answer, check(name, answer))


@pytest.mark.parametrize("name", ANSWERED)
def test_a_typical_wrong_answer_is_told_its_own_mistake(name):
    wrong = TABLE[name].wrong
    assert len(wrong) >= 3
    for case in wrong:
        verdict = check(name, case.answer)
        assert verdict.status == "wrong"
        assert verdict.message.startswith(case.message), (case.answer, verdict)
    starts = sorted(case.message for case in wrong)
    assert not any(later.startswith(earlier) for earlier, later in pairwise(starts))


@pytest.mark.parametrize("name", TABLE)
def test_an_answer_that_is_left_open_is_unattempted(name):
    assert check(name, ...).status == "unattempted"
    if callable(TABLE[name].solution):
        assert check(name, lambda *_: ...).status == "unattempted"


@pytest.mark.parametrize("name", TABLE)
def test_any_object_gets_a_sentence_and_never_an_error(name):
    for answer in GARBAGE:
        verdict = check(name, answer)
        assert verdict.status == "wrong", answer
        assert verdict.message[-1] in ".?:" or "raised" in verdict.message, verdict
        assert len(verdict.message) < 500


@pytest.mark.parametrize("name", [name for name in TABLE if TABLE[name].level != "build"])
def test_a_verdict_depends_on_the_answer_alone(name):
    for case in TABLE[name].wrong:
        assert check(name, case.answer) == check(name, case.answer)


@pytest.mark.parametrize("name", TABLE)
def test_a_hint_does_not_give_the_solution_away_and_the_solution_is_shown(name):
    exercise = TABLE[name]
    assert hint(name)
    assert hint(name) != solution(name)
    assert exercise.explanation in solution(name)


@pytest.mark.parametrize("name", PASTED)
def test_a_solution_pasted_into_its_cell_runs_and_is_right(name):
    code = solution(name).removeprefix("```python\n").partition("\n```")[0]
    has_numpy = "import numpy as np" in SOURCES[name[:2]].read_text()
    cell = {"np": np} if has_numpy else {}
    exec(code, cell)
    assert check(name, cell["answer"]), code


def test_verdicts_read_well_in_a_notebook_and_at_a_terminal():
    right, wrong, open_ = check("00.1", 64), check("00.1", 8), check("00.1", ...)
    assert (bool(right), bool(wrong), bool(open_)) == (True, False, False)
    assert repr(right).startswith("00.1 ✓ right: 8 · 8 = 64")
    assert wrong._repr_markdown_().startswith("**00.1 ✗ not yet.** 8 pixels are one row")
    assert repr(open_).startswith("00.1 … not attempted: Put your answer in the place of `...`")


def test_an_exercise_that_does_not_exist_is_refused_by_name():
    known = r"\(known: 00\.1, 00\.2, 00\.3, 00\.4, 00\.5\)"
    with pytest.raises(UserError, match=rf"no exercise '00\.9' {known}"):
        check("00.9", 1)
    with pytest.raises(UserError, match="no notebook '77'"):
        hint("77.1")


def test_a_number_is_read_from_every_form_that_a_student_writes():
    for answer in (0.25, "0.25", "1/4", "25 %", Fraction(1, 4), np.float32(0.25), [0.25]):
        assert as_float(answer) == 0.25
    assert as_float("−3,072") == -3072
    assert as_float(np.array([[7]])) == 7
    assert as_float(np.array(7)) == 7
    assert as_float("1,234.5") == 1234.5
    assert as_float("4.76 %") == pytest.approx(0.0476)
    assert as_float("x = 1.5") == 1.5
    assert as_float("8 · 8 = 64 pixels") == 64


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("0,1", "Write a decimal point"),
        ("1,3863", "Write a decimal point"),
        ("4,76 %", "Write a decimal point"),
        ((1, 5), "In Python a comma parts two numbers"),
        ("1,2,3", "not the text '1,2,3'"),
    ],
)
def test_a_decimal_comma_is_never_read_as_another_number(answer, message):
    with pytest.raises(Mistake, match=message):
        as_float(answer)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (["1", 2], "There is a text among the numbers"),
        ("7, 4", r"Numbers are expected, such as \[1, 2\], not the text '7, 4'"),
    ],
)
def test_what_is_not_a_list_of_numbers_is_told_what_it_is(answer, message):
    with pytest.raises(Mistake, match=message):
        numbers(answer)


@pytest.mark.parametrize(
    ("name", "three", "fewer"),
    [
        ("03.1", 0.223, "0.22"),
        ("03.3", 0.0476, "4.8 %"),
        ("04.1", 1.39, 1.4),
        ("08.1", 0.00098, 0.001),
        ("10.1", 0.363, 0.36),
        ("13.1", 0.127, 0.13),
    ],
)
def test_three_digits_are_right_and_fewer_are_told_so(name, three, fewer):
    assert check(name, three)
    assert check(name, fewer).message == "Nearly: give three digits."


def test_a_typical_mistake_near_the_right_number_keeps_its_message():
    near = number_check(1.0, [Wrong(1.02, "typical")], "otherwise")
    exact = number_check(1.0, [], "otherwise", rtol=1e-5)
    assert [near(1.02), near(1.01), near(1.04)] == [
        "typical",
        "Nearly: give three digits.",
        "otherwise",
    ]
    assert exact(1.01) == "otherwise"


def test_thousands_and_decimals_in_the_other_notation_are_recognised():
    assert "Write a thousand as 1,000" in check("06.1", "25.450").message
    assert "Write a decimal point" in check("04.1", "1,386").message


def test_numbers_are_a_new_array_of_the_shape_that_is_asked_for():
    given = np.ones((2, 3))
    read = numbers(given, 2, 3)
    read[0, 0] = 9
    assert given[0, 0] == 1
    with pytest.raises(Mistake, match=r"shape must be \(3,\), yours is \(2, 3\)"):
        numbers(given, 3)


def test_close_is_false_for_another_shape_and_for_the_fourth_digit():
    assert close(0.9931, 0.99331)
    assert not close(0.98, 0.99331)
    assert not close([1.0, 1.0], 1.0)


def test_a_function_is_tried_on_copies_and_its_faults_are_told():
    x = np.array([1.0, 2.0])

    def changes(values):
        values[0] = 0
        return values

    for function, message in (
        (lambda _: 1 / 0, "raised ZeroDivisionError for"),
        (lambda: 0, "raised TypeError for"),
        (lambda _: None, "is a `return` missing"),
        (lambda _: raise_exit(), "raised SystemExit"),
        (3, "A function is expected, not a value of type int"),
    ):
        with pytest.raises(Mistake, match=message):
            tried(function, x)
    assert np.array_equal(tried(changes, x), [0, 2])
    assert x[0] == 1
    assert tried(lambda values: values.sum(), x) == 3
    with pytest.raises(NotAttempted):
        tried(lambda _: ..., x)


def nothing(a):
    """Only this sentence."""


def skeleton(a):
    b = ...
    return a + b


def half_open(a):
    return a, ...


def open_in_a_call(a):
    return np.stack([a, ...]) @ a


@pytest.mark.parametrize("function", [nothing, skeleton, half_open, open_in_a_call])
def test_a_function_whose_part_is_still_open_is_not_attempted(function):
    with pytest.raises(NotAttempted):
        tried(function, np.ones(3))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x + np.ones(4), r"shapes \(2,3\) and \(4,\) do not fit number by number"),
        (lambda x: x @ x, "inner sizes must be equal: here 3 and 2"),
        (lambda x: np.dot(x, x), "the inner sizes differ"),
        (lambda x: np.linalg.inv(x), "print the shapes, step by step"),
        (lambda x: 1.0 if x > 0 else 0.0, "takes one number: for an array use `np.where`"),
        (float, "NumPy's take arrays"),
        (lambda x: np.max(0, x), "where NumPy takes one whole number, such as an axis"),
        (lambda x: x.reshape(4, 2), r"6 numbers do not fit into the shape \(4,2\)"),
        (lambda x: x[..., 0] @ x.T, "inner sizes must be equal: here 2 and 3"),
        (lambda x: np.zeros((x.shape[0] / 2, 3)), "a float: divide with `//`"),
        (lambda x: x.mean(axis=[0, 1]), "a list: a tuple has round brackets"),
        (lambda x: [np.zeros(2).__setitem__(0, x)], "one place of an array takes one number"),
        (lambda x: x[...] + unknown, "name 'unknown'"),  # noqa: F821 # pyright: ignore
        (lambda x: x + unknown, "name 'unknown' is not defined"),  # noqa: F821 # pyright: ignore
    ],
)
def test_an_error_of_numpy_is_told_in_plain_words(function, message):
    with pytest.raises(Mistake, match=message) as told:
        tried(function, np.ones((2, 3)))
    assert "gufunc" not in str(told.value)
    assert "operands" not in str(told.value)


def test_booleans_columns_and_maps_are_read_as_the_numbers_that_are_asked_for():
    assert numbers(np.array([1, -1]) > 0, 2).tolist() == [1, 0]
    assert numbers([[1], [2]], 2).tolist() == [1, 2]
    assert numbers(np.ones((1, 2, 2, 1)), 2, 2).shape == (2, 2)
    with pytest.raises(Mistake, match="shape"):
        numbers([1, 2], 2, 1)  # a missing axis is a fault: it would be broadcast


@pytest.mark.parametrize(
    ("answer", "number"),
    [("7 s", 7), ("7s", 7), ("64 features", 64), ("1,024 parameters", 1024), ("0.5 m/s²", 0.5)],
)
def test_a_number_may_have_its_unit(answer, number):
    assert as_float(answer) == number


@pytest.mark.parametrize("answer", ["3 k", "2 million", "1e", "2 e", "half a dozen", "5 m"])
def test_a_power_of_ten_in_words_is_not_a_unit(answer):
    with pytest.raises(Mistake):
        as_float(answer)


@pytest.mark.parametrize("answer", [{3, -2}, [-2, 3.0], (3, -2), "3, -2", "−2 and 3", "{3, -2}"])
def test_the_order_of_several_numbers_does_not_matter_where_none_is_asked_for(answer):
    assert unordered(answer) == [-2, 3]


@pytest.mark.parametrize("answer", ["overfit", "Over-fitting.", "OVER FITTING", "overfits"])
def test_a_word_is_known_in_its_spellings(answer):
    assert as_word(answer, ["over-fitting", "under-fitting", "good fit"]) == "over-fitting"


@pytest.mark.parametrize("answer", ["over", "fitting", "", 3, "no idea", "overs"])
def test_another_word_is_refused_with_those_that_are_known(answer):
    with pytest.raises(Mistake, match='One of "over-fitting"'):
        as_word(answer, ["over-fitting", "overhead"])


def test_true_and_false_are_read_from_numbers_and_words():
    assert [as_truth(a) for a in (True, 1, "yes", np.True_, 1.0)] == [True] * 5
    assert [as_truth(a) for a in (False, 0, "No.", "false")] == [False] * 4
    with pytest.raises(Mistake, match="True or False"):
        as_truth(2)


CHOICE = "Why? (a) The test examples changed. (b) There are too few. (c) They helped to choose."


@pytest.mark.parametrize(
    "answer",
    ["c", "(c)", "C.", "c)", "c: They helped to choose", "They helped to choose.", {"c"}, ["C"],
     "they helped to choose", "c they helped to choose"],
)  # fmt: skip
def test_a_choice_is_a_letter_or_the_words_of_its_option(answer):
    check = choice_check("c", [Wrong("a", "not a"), Wrong("b", "not b")], CHOICE)
    assert check(answer) is None


@pytest.mark.parametrize("answer", ["the", "d", "", "choose (b)", "a banana", 3, {"a", "c"}])
def test_what_names_no_option_or_several_is_asked_for_a_letter(answer):
    check = choice_check("c", [Wrong("a", "not a"), Wrong("b", "not b")], CHOICE)
    with pytest.raises(Mistake, match='Answer with one letter, "a", "b", "c"'):
        check(answer)


class Constant:
    """A model that answers the same for every example."""

    def __init__(self, *row):
        self.row = row

    def predict(self, x):
        return np.tile(self.row, (len(x), 1))


def test_a_trained_model_is_measured_by_the_share_it_has_right():
    x, y = np.zeros((4, 2)), np.array([0, 1, 1, 1])
    assert share_right(trained_model(lambda *_: Constant(0.2, 0.8), x, y), x, y, 2) == 0.75
    assert share_right(Constant(0.8), x, y, 1) == 0.75
    with pytest.raises(Mistake, match="must give outputs of shape"):
        share_right(Constant(1.0), x, y, 3)
    with pytest.raises(Mistake, match="trained model is to be returned"):
        trained_model(lambda *_: 3, x, y)
    with pytest.raises(Mistake, match="built Keras model"):
        parameters(Constant(1))


def raise_exit():
    raise SystemExit
