"""A short, seeded part of each fault driver; tests/faults/ runs as long as one likes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import disk, system_calls
from tests.faults.corrupt import corrupt_many
from tests.faults.fuzz import fuzz_images, fuzz_models

ROOT = Path(__file__).parent.parent
POSIX = pytest.mark.skipif(os.name != "posix", reason="processes are forked on POSIX only")


def drive(module: str, *arguments: str) -> str:
    """Run a driver in a process of its own, that has run no operation of TensorFlow before."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.faults.{module}", *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return done.stdout


@POSIX
@pytest.mark.slow
def test_killed_trainings_end_bit_equal():
    said = drive("kill", "--kills", "2", "--seed", "1", "--kinds", "npz")
    assert "2 kills" in said
    assert "lost: nothing" in said


@POSIX
def test_a_save_killed_at_its_system_calls_leaves_a_whole_file():
    if reason := system_calls.why_not():
        pytest.skip(reason)
    said = drive("system_calls", "--step", "29")
    assert re.search(r"\d\d+ kills, every file whole", said)


def test_mutated_recipes_are_valid_or_refused_by_place_without_keras():
    said = drive("fuzz", "--recipes", "150", "--images", "0", "--seed", "5")
    assert "refused" in said
    assert "valid" in said


def test_damaged_images_and_models_are_told_in_a_line():
    assert fuzz_images(100, 5)["refused"] > 10
    assert fuzz_models(15, 5)["refused"] > 5


@pytest.mark.filterwarnings("ignore")
def test_a_damaged_run_is_told_or_harmless(tmp_path):
    faults: list[str] = []
    seen = corrupt_many(5, 7, tmp_path, faults.append)
    assert faults == []
    assert seen["told"] > 2


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return disk.Bench(tmp_path_factory.mktemp("disk"))


@POSIX
def test_a_folder_that_vanished_is_one_line(bench):
    assert disk.vanished(bench, 6)


@pytest.fixture
def mounting():
    if reason := disk.why_not():
        pytest.skip(reason)


@pytest.mark.usefixtures("mounting")
def test_a_full_disk_is_one_line_and_the_run_goes_on_afterwards(bench):
    assert disk.full_disk(bench, bench.need // 2)


@pytest.mark.usefixtures("mounting")
def test_a_read_only_disk_is_one_line_and_the_run_goes_on_afterwards(bench):
    assert disk.read_only(bench, 8)
