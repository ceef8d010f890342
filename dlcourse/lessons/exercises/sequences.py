"""Exercises of notebook 10: a state by hand, an LSTM's parameters, one step of its memory."""

from typing import Any

import numpy as np

from dlcourse.lessons.exercises.answers import close, number_check, numbers, tried
from dlcourse.lessons.exercises.exercise import Exercise, Mistake, Wrong

_H1 = float(np.tanh(1))
_STATES = (
    Wrong(np.tanh(0.5), "You have fed back 1, the sum or the input: what comes back is tanh 1."),
    Wrong(0.5 * _H1, "This is the sum; its tanh is still to come."),
    Wrong(_H1, "This is h₁, or one that came back whole: go one step on, and weigh it by u."),
    Wrong(0.0, "The input is 0, but there is a memory: what does h₁ bring?"),
    Wrong(np.tanh(_H1), "Here h₁ comes back whole; it is weighed by u first."),
)

_PARAMETERS = (
    Wrong(1312, "This is one set of weights: three gates and the candidate have one each."),
    Wrong(5120, "The biases are missing: each unit has four."),
    Wrong(1152, "The recurrent weights are missing: each unit also sees the 32 states before."),
    Wrong(41_984, "All eight steps share their weights: a longer sequence needs no more of them."),
    Wrong(3936, "The three gates are there; the candidate needs weights, too."),
)


def lstm_step(c, i, f, g, o):
    c = f * c + i * g
    return c, o * np.tanh(c)


def _exchanged(c: Any, i: Any, f: Any, g: Any, o: Any) -> Any:
    return lstm_step(c, f, i, g, o)


def _no_tanh(c: Any, i: Any, f: Any, g: Any, o: Any) -> Any:
    return f * c + i * g, o * (f * c + i * g)


def _old_cell(c: Any, i: Any, f: Any, g: Any, o: Any) -> Any:
    return f * c + i * g, o * np.tanh(c)


def _forgets(c: Any, i: Any, f: Any, g: Any, o: Any) -> Any:
    return lstm_step(0 * c, i, f, g, o)


def _never_forgets(c: Any, i: Any, f: Any, g: Any, o: Any) -> Any:
    return lstm_step(c, i, 0 * f + 1, g, o)


def _swapped(c: Any, i: Any, f: Any, g: Any, o: Any) -> Any:
    return lstm_step(c, i, f, g, o)[::-1]


def _state_alone(c: Any, i: Any, f: Any, g: Any, o: Any) -> Any:
    return lstm_step(c, i, f, g, o)[1]


# c, i, f, g, o of one unit, and of three.
_STEPS = (
    ((0.8,), (0.3,), (0.9,), (-0.5,), (0.6,)),
    ((2.0, -1.0, 0.4), (0.9, 0.2, 0.7), (0.1, 0.95, 0.5), (-0.8, 0.6, 0.3), (1.0, 0.5, 0.25)),
)
_MISTAKES = (
    (_exchanged, "The two gates are exchanged: f weighs the memory, i what is new."),
    (_no_tanh, "The new memory is right; on its way out it goes through tanh, before o."),
    (
        _old_cell,
        "The new memory is right; the state shows the old one, though.",
    ),
    (_forgets, "The old memory is lost: the new one begins with f · c."),
    (_never_forgets, "Nothing is ever forgotten: where is the forget gate?"),
    (_swapped, "Both are right, in the other order: return the memory first, then the state."),
)


def _check_step(answer: Any) -> str | None:
    for step in _STEPS:
        arrays = [np.array(part) for part in step]
        memory, state = _pair(tried(answer, *arrays), len(step[0]))
        right = lstm_step(*arrays)
        if close([memory, state], right):
            continue
        for mistake, message in _MISTAKES:
            if close([memory, state], mistake(*arrays)):
                return message
        which = "memory" if not close(memory, right[0]) else "state"
        return f"The {which} is not right: write its formula down, and compare."
    return None


def _pair(result: Any, units: int) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(result, list | tuple | np.ndarray) or np.shape(result)[:1] != (2,):
        raise Mistake("Two things are to be returned: the new memory c and the new state h.")
    return numbers(result[0], units), numbers(result[1], units)


EXERCISES = (
    Exercise(
        question=(
            "A recurrent unit has w = 1, u = 0.5 and b = 0. It reads x₁ = 1 and x₂ = 0, and "
            "starts from h₀ = 0. What is h₂ (three digits)?"
        ),
        check=number_check(
            float(np.tanh(0.5 * _H1)),
            _STATES,
            "Take one step at a time: first h₁ = tanh(w·x₁ + u·h₀ + b), then h₂ in the same way.",
        ),
        hint="h₁ = tanh 1 = 0.762. In the second step it stands in the place of h₀.",
        solution=0.3634,
        explanation=(
            "h₁ = tanh(1·1 + 0.5·0) = 0.7616, h₂ = tanh(1·0 + 0.5·0.7616) = 0.3634. The input is "
            "gone, a trace of it is left."
        ),
        equivalents=(
            float(np.tanh(0.5 * np.tanh(1))),
            0.363,
            "0.3634",
            [0.3634],
            np.float32(0.36339),
        ),
        wrong=_STATES,
    ),
    Exercise(
        question=(
            "An LSTM of 32 units reads a digit of 8 × 8 pixels row by row. How many parameters "
            "does the layer have?"
        ),
        check=number_check(
            5248,
            _PARAMETERS,
            "Count for one gate first: what weighs the row, what weighs the states, the biases.",
            rtol=1e-6,  # a count is exact
        ),
        hint="One gate has a kernel 8 × 32, a recurrent kernel 32 × 32 and 32 biases.",
        solution=5248,
        explanation=(
            "Three gates and the candidate: 4 · (8·32 + 32·32 + 32) = 5,248. The number of steps "
            "does not count."
        ),
        equivalents=("5,248", 5248.0, np.int64(5248), [5248], np.float32(5248)),
        wrong=_PARAMETERS,
    ),
    Exercise(
        question=(
            "Write a function `answer(c, i, f, g, o)` that takes an LSTM's memory, its input and "
            "forget gates, the candidate and the output gate, and returns the new memory and the "
            "new state, `(c, h)`."
        ),
        check=_check_step,
        hint="First what is kept plus what is written; then what of it is shown.",
        solution=lstm_step,
        explanation="c′ = f·c + i·g keeps and writes, h′ = o·tanh c′ shows.",
        equivalents=(
            lambda c, i, f, g, o: [f * c + i * g, o * np.tanh(f * c + i * g)],
            lambda c, i, f, g, o: np.stack(lstm_step(c, i, f, g, o)).astype("float32"),
        ),
        wrong=(
            *(Wrong(mistake, message) for mistake, message in _MISTAKES),
            Wrong(_state_alone, "Two things are to be returned"),
        ),
    ),
)
