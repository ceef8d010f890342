"""Each rule on curves whose fault is drawn by hand; real trainings with real faults."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine

import dlcourse as dl
from dlcourse import plots
from dlcourse.configuration.recipe import load_recipe
from dlcourse.datasets import DATASETS, load_dataset
from dlcourse.errors import UserError
from dlcourse.lab import plots as lab_plots
from dlcourse.lab.diagnosis import LINKS, RULES, THRESHOLDS, LayerStatistics, diagnose
from dlcourse.lab.diagnosis.examination import duplicates, leaking_column
from dlcourse.plots.training import renamed

EPOCHS = np.arange(20)
CONFIGS = Path(__file__).parent.parent / "configs"


def history(loss, val_loss=None, accuracy=None, val_accuracy=None):
    """A dict with the columns that are given."""
    columns = {
        "loss": loss,
        "val_loss": val_loss,
        "accuracy": accuracy,
        "val_accuracy": val_accuracy,
    }
    return {key: list(values) for key, values in columns.items() if values is not None}


def falling(start=2.3, end=0.05, pace=0.4):
    return end + (start - end) * np.exp(-pace * EPOCHS)


def rising(end=0.99, pace=0.4):
    return end - (end - 0.1) * np.exp(-pace * EPOCHS)


HEALTHY = history(falling(), falling(end=0.1), rising(), rising(0.97))


def names(given=HEALTHY, classes=10, **known):
    return [finding.name for finding in diagnose(given, classes=classes, **known)]


def only(name, given=HEALTHY, classes=10, **known):
    """The finding of that name."""
    found = {finding.name: finding for finding in diagnose(given, classes=classes, **known)}
    assert name in found, list(found)
    return found[name]


def layer(name, *, output=False, **changed):
    values = {
        "activation": "relu",
        "units": 8,
        "mean": 0.3,
        "spread": 0.5,
        "saturated": 0.0,
        "dead": 0.0,
        "gradient_norm": 0.1,
        "gradient_to_weight": 0.02,
        "equal": 0.0,
    }
    return LayerStatistics(name=name, output=output, **{**values, **changed})


def test_curves_that_fall_together_are_a_good_fit_and_nothing_else():
    assert names() == ["good_fit"]
    assert "99% of the way" in only("good_fit").evidence
    assert only("good_fit").override == ""


def test_validation_that_turns_while_training_falls_is_over_fitting():
    val_loss = falling(end=0.3) + 0.08 * np.maximum(0, EPOCHS - 6)
    found = only("over_fitting", history(falling(end=0), val_loss, rising(1.0), rising(0.8)))
    # 2·e^(-0.4·6) = 0.181 falls by 0.060 to epoch 8, where 0.08 is added: epoch 7 is the lowest
    assert "validation was at its best, 0.481, in epoch 7" in found.evidence
    assert found.epoch == 7
    assert found.override == "dropout=0.3"  # no recipe is known
    assert "07_overfitting" in found.notebook


def test_validation_that_gets_worse_with_training_is_not_over_fitting():
    climbing = falling(end=0.3) + 0.3 * EPOCHS
    curves = history(climbing, climbing + 0.1 * EPOCHS, rising(0.9), rising(0.8))
    assert "over_fitting" not in names(curves)
    curves["loss"] = list(falling(end=0.3))
    assert "over_fitting" in names(curves)


def test_over_fitting_proposes_what_is_not_yet_used():
    curves = history(falling(end=0), falling(end=0.3) + 0.08 * EPOCHS, rising(1.0), rising(0.8))
    used = {"model.name": "dnn", "model.dropout": 0.5}
    stop = "training.early_stopping.patience=5"
    assert only("over_fitting", curves, settings=used).override == stop
    used |= {"training": {"early_stopping": {"patience": 3}}}
    assert only("over_fitting", curves, settings=used).override == "model.l2=0.001"
    linear = {"model.name": "softmax_regression", "model.l2": 0.0}
    assert only("over_fitting", curves, settings=linear).override == stop


def test_training_that_rests_high_is_under_fitting():
    curves = history(falling(end=1.2), falling(end=1.25), rising(0.55), rising(0.54))
    found = only("under_fitting", curves)
    assert "50% of the way" in found.evidence  # (0.55 − 0.1) / 0.9
    settings = {"model.name": "dnn", "model.hidden": (4,)}
    assert only("under_fitting", curves, settings=settings).override == "model.hidden=[16]"
    settings["model.dropout"] = 0.9
    assert only("under_fitting", curves, settings=settings).override == "model.dropout=0.3"
    settings = {"model.name": "softmax_regression"}
    assert only("under_fitting", curves, settings=settings).override == "model.name=dnn"


def test_a_loss_that_becomes_nan_diverges_in_that_epoch():
    curves = history([2.3, 5.0, np.nan, np.nan])
    found = only("learning_rate_too_large", curves, settings={"training.learning_rate": 0.5})
    assert (found.epoch, found.override) == (3, "training.learning_rate=0.05")
    assert "5 the epoch before" in found.evidence
    assert names(history([np.nan])) == ["learning_rate_too_large"]


def test_a_loss_that_climbs_diverges():
    found = only("learning_rate_too_large", history(2.3 * 1.3**EPOCHS))
    assert "climbs" in found.sentence


def test_a_loss_that_swings_has_steps_too_large():
    loss = 1.0 + 0.4 * (-1.0) ** EPOCHS
    found = only("learning_rate_too_large", history(loss, loss))
    assert "oscillates" in found.sentence
    assert "rises in 9 of 18 epochs, by 0.8" in found.evidence


def test_a_loss_far_above_the_constant_answers_was_thrown_there_unless_it_began_there():
    loss = [40.0, *[2.31] * 9]
    assert "moved" in only("learning_rate_too_large", history(loss)).sentence
    wide = {0: [layer("a", gradient_norm=900.0), layer("logits", output=True)]}
    assert "learning_rate_too_large" not in names(history(loss), xray=wide)
    assert "exploding_gradients" in names(history(loss), xray=wide)


def test_a_loss_still_falling_at_the_end_had_steps_too_small():
    loss = 2.3 - 0.02 * EPOCHS
    curves = history(loss, loss + 0.01, 0.1 + 0.01 * EPOCHS, 0.1 + 0.01 * EPOCHS)
    found = only("learning_rate_too_small", curves, settings={"training.learning_rate": 1e-5})
    assert found.override == "training.learning_rate=0.0001"
    assert "47% of the fall is in the last half" in found.evidence  # 9 of 19 equal steps
    assert "not_learning" not in names(curves)
    assert "under_fitting" not in names(curves)


def test_a_loss_that_stays_at_ln_k_learns_nothing():
    flat = np.full(20, np.log(10))
    curves = history(flat, flat, np.full(20, 0.1), np.full(20, 0.1))
    found = only("not_learning", curves)
    assert "constant baseline's loss (2.3)" in found.sentence
    assert only("not_learning", curves, settings={"model.initializer": "zeros"}).override == (
        "model.initializer=glorot_uniform"
    )
    assert "under_fitting" not in names(curves)


def test_a_majority_answer_is_not_learning_though_its_accuracy_is_high():
    entropy = -(0.9 * np.log(0.9) + 0.1 * np.log(0.1))
    curves = history([entropy] * 10, [entropy] * 10, [0.9] * 10, [0.9] * 10)
    assert set(names(curves, None, class_counts=[900, 100])) == {"not_learning", "class_imbalance"}


def test_training_learned_by_heart_from_shuffled_labels_does_not_help_on_validation():
    curves = history(falling(), 2.3 + 0.1 * EPOCHS, rising(), np.full(20, 0.1))
    assert "labels belong to the inputs" in only("not_learning", curves).sentence
    assert "over_fitting" in names(curves)


def test_few_validation_examples_make_it_noisy():
    found = only("noisy_validation", val_examples=8)
    assert found.evidence.startswith("8 validation examples, each worth 12% of the accuracy")
    assert names(val_examples=300) == ["good_fit"]


def test_a_jumping_validation_of_unknown_size_is_noisy():
    jumping = history(falling(), falling(), rising(), rising(0.8) + 0.1 * (-1.0) ** EPOCHS)
    assert "unknown size" in only("noisy_validation", jumping).evidence


def test_classes_of_very_different_size_are_named():
    found = only("class_imbalance", classes=None, class_counts=[95, 5])
    assert "95 examples of the largest class, 5 of the smallest" in found.evidence
    assert "has accuracy 95%" in found.evidence
    assert found.override == "class_weights=balanced"


def test_validation_much_better_than_undisturbed_training_looks_like_a_leak():
    curves = history(falling(end=1.2), falling(end=0.2), rising(0.6), rising(0.98))
    assert only("leakage", curves, noisy_training=False).override == "seed=1"
    assert "leakage" not in names(curves)  # dropout may explain it
    assert "leakage" not in names(curves, noisy_training=True)
    assert "leakage" not in names(curves, settings={"model": {"dropout": 0.5}})


def test_examples_that_stand_in_both_splits_are_a_leak_that_no_other_seed_removes():
    found = only("leakage", duplicates=0.25, settings={"seed": 0})
    assert "25% of the validation or test" in found.evidence
    assert found.override == ""
    assert "  try " not in str(found)
    table = {"seed": 0, "dataset": {"split": "random"}}
    assert only("leakage", duplicates=0.25, settings=table).override == "dataset.split=content"
    assert names(duplicates=0.01) == ["good_fit"]


def test_a_stop_while_everything_falls_was_too_eager():
    curves = {key: values[:3] for key, values in HEALTHY.items()}
    settings = {"training": {"epochs": 50, "early_stopping": {"patience": 1}}}
    found = only("early_stop_too_eager", curves, settings=settings)
    assert found.override == "training.early_stopping.patience=5"
    assert names(curves, settings={"training.epochs": 3}) == names(curves)
    assert "early_stop_too_eager" not in names(settings={"training.epochs": 50})  # nothing left


@pytest.mark.parametrize(
    ("name", "changed", "words", "override"),
    [
        ("symmetric_layers", {"equal": 1.0}, "a and b have equal weights", "initializer=glorot"),
        ("dead_layers", {"dead": 1.0}, "100% of the units are 0", "activation=leaky_relu"),
        ("vanishing_gradients", {"gradient_norm": 1e-6}, "1e-06 in a, 0.1 in log", "=he_normal"),
        ("exploding_gradients", {"gradient_norm": 5e3}, "norm 5e+03 in a", "=he_normal"),
        ("saturated_layers", {"saturated": 0.95}, "a and b are saturated", "activation=relu"),
    ],
)
def test_each_fault_of_layers_names_them_and_what_to_try(name, changed, words, override):
    layers = [layer("a", **changed), layer("b", **changed), layer("logits", output=True)]
    found = only(name, xray=layers)
    assert found.layers == ("a", "b")
    assert words in f"{found.sentence}; {found.evidence}"
    assert override in found.override
    assert found.epoch == 20


def test_a_layer_that_died_is_dated_by_its_first_dead_epoch_and_blames_the_steps():
    alive, gone, last = layer("a"), layer("a", dead=0.9), layer("logits", output=True)
    course = {0: [alive, last], 1: [alive, last], 2: [gone, last], 20: [gone, last]}
    assert only("dead_layers", xray=course).epoch == 2
    found = only("learning_rate_too_large", xray=course)
    assert (found.epoch, "a: ReLU units active before" in found.evidence) == (2, True)


def test_logits_hundreds_apart_were_carried_too_far_unless_they_began_so():
    def course(start):
        return {
            0: [layer("l", output=True, spread=start)],
            20: [layer("l", output=True, spread=300)],
        }

    assert "much too far" in only("learning_rate_too_large", xray=course(0.5)).sentence
    assert names(xray=course(200.0)) == ["good_fit"]


def test_gradients_of_a_training_that_is_done_have_not_vanished():
    done = [layer("a", gradient_norm=0.0), layer("logits", output=True, gradient_norm=1e-9)]
    assert names(xray=done) == ["good_fit"]


def test_what_is_read_before_the_training_has_epoch_0():
    start = [layer("a", gradient_norm=1e-6), layer("logits", output=True)]
    end = [layer("a"), layer("logits", output=True)]
    found = only("vanishing_gradients", xray={0: start, 20: end})
    assert found.epoch == 0
    assert "vanishing gradients (before the first epoch)" in str(found)


def test_healthy_layers_and_an_output_that_has_decided_are_not_a_finding():
    last = layer("logits", output=True, activation="sigmoid", saturated=1.0)
    assert names(xray=[layer("a"), last]) == ["good_fit"]


def test_a_history_without_validation_is_read_as_far_as_it_goes():
    assert names(history(falling())) == []
    assert names(history(2.3 - 0.02 * EPOCHS)) == ["learning_rate_too_small"]


def test_one_epoch_tells_little_and_says_nothing_wrong():
    assert names(history([1.2], [1.1], [0.6], [0.65])) == []


def test_a_regression_is_measured_by_its_targets_variance():
    loss = falling(100.0, 20.0)
    found = diagnose({"loss": loss, "val_loss": loss, "mae": loss}, baseline=400.0)
    assert [one.name for one in found] == ["good_fit"]
    (found,) = diagnose({"loss": loss, "val_loss": loss, "mae": loss}, baseline=100 / 3 * 2)
    assert found.name == "under_fitting"  # 1 − 20/66.7 = 70% of the variance
    assert "70% of the way" in found.evidence


def test_a_network_has_to_beat_the_naive_forecasts_of_a_series():
    curves = {"loss": falling(1, 0.02), "val_loss": falling(1, 0.05), "mae": falling()}
    known = {"history": curves, "baseline": 1.0, "evaluated": {"val": {"mae": 3.0, "r2": 0.95}}}
    naive = {"as now": 2.9, "as one season ago": 4.0}
    (found,) = diagnose(**known, naive=naive)
    assert found.name == "no_better_than_naive"
    told = "network 3, 'as now' 2.9, 'as one season ago' 4"
    assert found.evidence == f"mean absolute error on validation: {told}"
    for better in ({"as now": 3.1, "as one season ago": 4.0}, {}):
        assert [finding.name for finding in diagnose(**known, naive=better)] == ["good_fit"]


def test_every_finding_has_a_rule_and_a_slide_and_a_notebook_and_every_threshold_is_used():
    assert set(LINKS) == set(RULES)
    for name, (slide, notebook) in LINKS.items():
        assert slide.startswith("S")
        text = (CONFIGS.parent / f"{notebook}.py").read_text().lower()
        assert [word for word in name.split("_") if word not in text] == []
    for rule in RULES.values():
        assert rule.__doc__
    assert all(value > 0 for value in THRESHOLDS.values())


def test_the_most_serious_comes_first():
    layers = [layer("a", dead=1.0), layer("logits", output=True)]
    flat = np.full(20, np.log(10))
    found = names(history(flat, flat), xray=layers, val_examples=5)
    assert found == ["dead_layers", "not_learning", "noisy_validation"]


FAULTS = {
    "over_fitting": history(falling(end=0), falling() + 0.3 * EPOCHS, rising(1.0), rising(0.6)),
    "under_fitting": history(falling(end=1.2), falling(end=1.2), rising(0.5), rising(0.5)),
    "not_learning": history(np.full(20, 2.3), None, np.full(20, 0.1)),
    "learning_rate_too_small": history(2.3 - 0.02 * EPOCHS),
    "learning_rate_too_large": history([np.nan]),
}
BROKEN = [
    layer("a", activation="tanh", saturated=1.0, gradient_norm=1e-9),
    layer("logits", output=True),
]
DEAD = [layer("a", dead=1.0, gradient_norm=500.0), layer("logits", output=True)]


@pytest.mark.parametrize("config", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_override_is_one_that_the_recipe_takes(config):
    settings = load_recipe(config).model_dump()
    task = DATASETS[settings["dataset"]["name"]].task
    regression, counts = task == "regression", {"class_counts": [90, *[10] * 9]}
    given_by: Any = {"regression": {"baseline": 1.0}, "next_token": {"classes": 10}}
    known = given_by.get(task, counts)
    for curves in FAULTS.values():
        given = {
            key: value for key, value in curves.items() if "accuracy" not in key or not regression
        }
        for layers in (BROKEN, DEAD):
            found = diagnose(given, settings=settings, xray=layers, val_examples=3, **known)
            assert found
            for finding in found:
                if finding.override:
                    load_recipe(config, [finding.override])


def test_a_finding_is_text_and_plain_data():
    found = only("class_imbalance", classes=None, class_counts=[95, 5])
    lines = str(found).splitlines()
    assert lines[0] == "class imbalance"
    assert [line.split()[0] for line in lines[2:]] == ["evidence", "try", "read"]
    assert found.as_dict()["override"] == "class_weights=balanced"


@pytest.mark.parametrize(
    ("given", "known", "words"),
    [
        (3, {}, "expected a dict, a Keras History or a Run, got int"),
        ({}, {}, "has no 'loss' (it has no columns)"),
        ({"accuracy": [1]}, {}, "has no 'loss' (it has accuracy)"),
        ({"loss": []}, {}, "has no epoch: nothing was trained"),
        ({"loss": ["a"]}, {}, "'loss' is not a list of numbers"),
        ({"loss": [1, 2], "val_loss": [1]}, {}, "'val_loss' has 1 epochs, 'loss' has 2"),
        ({"loss": [1]}, {"task": "ranking"}, "expected regression, binary, multiclass, next_token"),
        ({"loss": [1]}, {"class_counts": [0, 0]}, "expected one number per class"),
    ],
)
def test_what_is_not_a_history_is_reported(given, known, words):
    with pytest.raises(UserError) as error:
        diagnose(given, **known)
    assert words in str(error.value)


def fitted(rate, **fit):
    """A plain Keras training, without this package: its History."""
    keras.utils.set_random_seed(0)
    digits = load_dataset("digits")
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Rescaling(1 / 16),
            keras.layers.Flatten(),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["acc"])
    validation = (digits.x_val, digits.y_val)
    return model.fit(digits.x_train, digits.y_train, validation_data=validation, verbose=0, **fit)


def test_a_plain_keras_history_tells_its_classes_and_learning_rate_itself():
    found = {one.name: one for one in diagnose(fitted(1e-5, epochs=6))}
    assert found["learning_rate_too_small"].override == "learning_rate=0.0001"
    assert [one.name for one in diagnose(fitted(3e-3, epochs=8))] == ["good_fit"]


def test_the_lowest_validation_loss_is_told_with_its_own_epoch():
    val_loss = 1.0 + 0.1 * EPOCHS
    val_loss[[1, 2, 3]], val_loss[9] = 0.6, 0.5  # a single dip; the running median is lowest in 3
    found = only("over_fitting", history(falling(end=0), val_loss, rising(1.0), rising(0.6)))
    assert "validation was at its best, 0.5, in epoch 10" in found.evidence
    assert found.epoch == 10


def test_a_gap_that_dropout_hides_in_the_epochs_is_over_fitting_and_not_under_fitting():
    curves = history(falling(end=1.5), falling(end=1.5), rising(0.48), rising(0.46))
    kept = {"train": {"loss": 0.9, "accuracy": 0.66}, "val": {"loss": 1.5, "accuracy": 0.46}}
    assert names(curves, noisy_training=True) == ["under_fitting"]
    found = only("over_fitting", curves, noisy_training=True, evaluated=kept)
    assert "accuracy 0.66 and 0.46" in found.evidence
    assert names(curves, noisy_training=True, evaluated=kept) == ["over_fitting"]


def test_twenty_points_between_two_classes_are_over_fitting_though_the_losses_are_close():
    curves = history(falling(0.7, 0.55), falling(0.7, 0.62), rising(0.8), rising(0.6))
    assert names(curves, classes=2, val_examples=400) == ["over_fitting"]


def test_validation_that_batch_norm_has_not_caught_up_with_is_not_over_fitting():
    curves = history(falling(end=0), falling(end=2.0), rising(1.0), rising(0.3))
    assert names(curves) == ["over_fitting"]
    found = only("batch_norm_behind", curves, norm_start=0.99**70)
    assert "loss 0.00172 in training, 2 on validation" in found.evidence  # 2.3 · e^(−0.4 · 18)
    assert "49% of the initial statistics are left" in found.evidence  # 0.99^70 = 0.495
    assert found.override == "batch_norm_momentum=0.9"
    assert names(curves, norm_start=0.99**70) == ["batch_norm_behind"]
    assert names(curves, norm_start=0.9**70) == ["over_fitting"]
    same = {"train": {"loss": 0.0, "accuracy": 1.0}, "val": {"loss": 2.0, "accuracy": 0.3}}
    assert names(curves, norm_start=0.99**70, evaluated=same) == ["over_fitting"]
    worse = {**same, "train": {"loss": 1.9, "accuracy": 0.3}}
    assert names(curves, norm_start=0.0, evaluated=worse) == ["batch_norm_behind"]
    assert names(curves, evaluated=worse) == ["over_fitting"]  # there is no batch norm


def images_network(momentum):
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Rescaling(1 / 16),
            keras.layers.Conv2D(8, 3),
            keras.layers.BatchNormalization(momentum=momentum),
            keras.layers.ReLU(),
            keras.layers.Conv2D(16, 3),
            keras.layers.BatchNormalization(momentum=momentum),
            keras.layers.ReLU(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


@pytest.mark.parametrize(("momentum", "expected"), [(0.99, True), (0.8, False)])
def test_a_plain_keras_training_tells_how_far_its_batch_norm_is(momentum, expected):
    keras.utils.set_random_seed(11)
    digits, model = load_dataset("digits", seed=11), images_network(momentum)
    metric = keras.metrics.SparseCategoricalAccuracy()
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=[metric])
    validation = (digits.x_val, digits.y_val)
    fit = {"validation_data": validation, "epochs": 3, "verbose": 0, "batch_size": 64}
    found = [one.name for one in diagnose(model.fit(digits.x_train, digits.y_train, **fit))]
    assert ("batch_norm_behind" in found) == expected
    assert "over_fitting" not in found


def test_a_run_whose_batch_norm_is_behind_is_told_the_setting(tmp_path):
    settings = {"filters": [8, 16], "hidden": [], "batch_norm": True, "batch_norm_momentum": 0.99}
    model = {"name": "cnn", **settings}
    more = {"seed": 12, "epochs": 3, "learning_rate": 0.005, "runs": tmp_path, "verbose": False}
    run = dl.fit(dataset="digits", model=model, **more)
    found = {one.name: one for one in dl.diagnose(run)}
    assert found["batch_norm_behind"].override == "model.batch_norm_momentum=0.9"
    assert "on the same examples later" in found["batch_norm_behind"].evidence
    assert found.keys().isdisjoint({"over_fitting", "not_learning", "good_fit", "under_fitting"})


ACCURACIES = (
    *("acc", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy"),
    *("sparse_categorical_accuracy_3", "weighted_accuracy", "accuracy_1"),
)


@pytest.mark.parametrize("name", ACCURACIES)
def test_an_accuracy_is_read_and_drawn_under_any_of_keras_names(name):
    theirs = {key.replace("accuracy", name): values for key, values in HEALTHY.items()}
    assert names(theirs) == ["good_fit"]
    assert "99% of the way" in only("good_fit", theirs).evidence
    axes = plots.learning_curves(theirs, figure=plots.new_figure())
    assert [ax.get_ylabel() for ax in axes] == ["loss", "accuracy"]
    assert len(axes[1].lines) == 2


def test_of_two_accuracies_the_plain_one_is_the_accuracy_and_the_best_five_are_none():
    both = {"loss": [1.0], "weighted_accuracy": [0.5], "accuracy": [0.7]}
    assert renamed(both) == both
    assert list(renamed({"sparse_top_k_categorical_accuracy": [0.9]})) == [
        "sparse_top_k_categorical_accuracy"
    ]


def table_of(shuffled, seed):
    """scikit-learn's wines, sorted by class; the rows are numbered before or after a shuffle."""
    wines = load_wine(as_frame=True).frame[["ash", "malic_acid", "target"]]
    counted = wines.assign(row=range(len(wines)))
    mixed = counted.sample(frac=1, random_state=seed)
    return mixed.assign(row=range(len(wines))) if shuffled else mixed


@pytest.mark.filterwarnings("ignore:.*rises with the row")
@pytest.mark.parametrize(("shuffled", "leaks"), [(False, True), (True, False)])
def test_the_number_of_the_row_in_a_sorted_table_is_a_leak_and_can_be_left_out(
    shuffled, leaks, tmp_path
):
    options = {"target": "target", "model": "dnn", "seed": 13, "epochs": 4, "verbose": False}
    run = dl.fit(table_of(shuffled, 13), **options, runs=tmp_path, name="a")
    found = {one.name: one for one in dl.diagnose(run)}
    assert ("leakage" in found) == leaks
    if leaks:
        assert "the column row counts the rows" in found["leakage"].sentence
        assert found["leakage"].override == "dataset.ignore=[row]"
        mended = dl.fit(run, found["leakage"].override, runs=tmp_path, name="b", verbose=False)
        assert "leakage" not in [one.name for one in dl.diagnose(mended)]


def as_table(frame, path, **settings):
    frame.to_csv(path / "table.csv", index=False)
    return load_dataset("csv", path / "table.csv", "y", seed=14, **settings)


def test_rows_that_repeat_by_nature_are_not_a_leak_but_a_table_given_twice_is(tmp_path):
    rng = np.random.default_rng(14)
    tosses = pd.DataFrame(rng.integers(0, 2, (300, 3)), columns=["a", "b", "c"])
    tosses["y"] = np.where(rng.random(300) < 0.8, tosses["a"], 1 - tosses["a"])
    assert duplicates(as_table(tosses, tmp_path)) == 0
    ages = pd.DataFrame(rng.integers(0, 40, (400, 2)), columns=["a", "b"])
    ages["y"] = rng.integers(0, 2, 400)  # 1,600 combinations; equal rows have both labels
    assert duplicates(as_table(ages, tmp_path)) == 0
    once = pd.DataFrame(rng.normal(size=(150, 3)), columns=["a", "b", "c"])
    once["y"] = (once["a"] > 0).astype(int)
    assert duplicates(as_table(once, tmp_path)) == 0
    assert duplicates(as_table(pd.concat([once, once]), tmp_path)) > 0.5
    assert duplicates(as_table(pd.concat([once, once]), tmp_path, split="content")) == 0


def test_the_target_under_another_name_is_a_leak(tmp_path):
    rng = np.random.default_rng(15)
    frame = pd.DataFrame(rng.normal(size=(90, 2)), columns=["a", "b"])
    frame["y"] = np.repeat(["red", "green", "blue"], 30)
    assert leaking_column(as_table(frame, tmp_path)) is None
    frame["copy"] = frame["y"].map({"red": "r", "green": "g", "blue": "b"})
    assert leaking_column(as_table(frame, tmp_path)) == (
        "copy",
        "is the target under another name",
    )
    assert leaking_column(load_dataset("diabetes")) is None


def test_what_is_tried_changes_a_setting():
    counts = {"classes": None, "class_counts": [95, 5]}
    balanced = {"seed": 0, "training": {"class_weights": "balanced"}}
    assert only("class_imbalance", settings=balanced, **counts).override == ""
    quarter = {"seed": 0, "dataset": {"validation_fraction": 0.25}}
    assert only("noisy_validation", settings=quarter, val_examples=9).override.endswith("=0.5")
    own = {"settings": quarter, "val_examples": 9, "classes": None, "class_counts": [400, 400]}
    assert only("noisy_validation", **own).override == ""  # the data has its own validation split
    curves = history(falling(end=0), falling(end=0.3) + 0.08 * EPOCHS, rising(1.0), rising(0.8))
    kept = {"model": {"name": "dnn", "dropout": 0.3, "l2": 0.0}, "seed": 0}
    kept["training"] = {"early_stopping": None, "restore_best_weights": True}
    assert only("over_fitting", curves, settings=kept).override == "model.l2=0.001"
    few = {"training": {"epochs": 4, "early_stopping": {"patience": 3}}}
    stopped = {key: values[:3] for key, values in HEALTHY.items()}
    eager = only("early_stop_too_eager", stopped, settings=few, stopped_early=True)
    assert eager.override == "training.early_stopping=null"


def test_a_folder_of_photos_is_led_to_the_recipe_for_photos():
    curves = history(falling(end=0.6), falling(end=1.6), rising(0.8), rising(0.5))
    settings = load_recipe("photos", ["dataset.path=/x"]).model_dump()
    settings["training"] |= {"schedule": None, "augmentation": None}
    settings["model"]["batch_norm"] = False
    tried = []
    for _ in range(3):
        tried.append(only("over_fitting", curves, settings=settings).override)
        group, key = tried[-1].partition("=")[0].split(".")[:2]
        settings[group][key] = True if key == "batch_norm" else {"name": "any"}
    assert tried == [
        "model.batch_norm=true",
        "training.schedule.name=one_cycle",
        "training.augmentation.flip=horizontal",
    ]


@pytest.fixture
def figure():
    return plots.new_figure()


def test_findings_are_marked_where_they_happened_and_listed(figure):
    marks = [("over-fitting", 7), ("noisy validation", None), ("vanishing gradients", 0)]
    axes = lab_plots.diagnosed_curves(HEALTHY, marks, figure=figure)
    assert [text.get_text() for text in axes[0].texts] == ["1"]
    assert axes[0].lines[-1].get_xdata() == [7, 7]
    listed = figure.get_supxlabel()
    assert listed == (
        "1  over-fitting: epoch 7\n2  noisy validation\n3  vanishing gradients: before the training"
    )
    figure.canvas.draw()


def test_histograms_show_the_layers_and_the_share_of_zero_gradients(figure):
    from dlcourse.lab.diagnosis.xray import LayerReading

    gradients = [np.array([0.0, 0.1, 0.01, 1])]
    readings = [LayerReading(f"h{k}", "relu", np.eye(4), gradients, gradients) for k in range(20)]
    axes = lab_plots.layer_histograms(readings, figure=figure)
    assert len(axes) == 24  # twelve of twenty layers
    assert axes[0].get_title(loc="left") == "h0 (relu)"
    assert axes[-2].get_title(loc="left") == "h19 (relu)"
    assert axes[1].get_title(loc="right") == "25% are exactly 0"
    assert sum(bar.get_height() for bar in axes[1].patches) == pytest.approx(75)


def test_the_depth_scan_has_one_column_per_activation_and_one_line_per_initialiser(figure):
    scan = {(a, i): [layer("x"), layer("y")] for a in ("tanh", "relu") for i in ("zeros", "ones")}
    axes = lab_plots.depth_scan(scan, figure=figure)
    assert [ax.get_title() for ax in axes[:2]] == ["tanh", "relu"]
    assert [line.get_label() for line in axes[2].lines] == ["zeros", "ones"]
    np.testing.assert_array_equal(axes[2].lines[0].get_ydata(), [0.1, 0.1])
