"""python -m dlcourse: the commands."""

import sys
from importlib import import_module

from dlcourse import __version__
from dlcourse.command_line import print_error, write

COMMANDS = {
    "train": ("dlcourse.train", "train a recipe, print its metrics, save its run"),
    "find_lr": ("dlcourse.find_lr", "the learning rate that suits a recipe, by a range test"),
    "evaluate": ("dlcourse.evaluate", "measure a saved run again, and each class on its own"),
    "predict": ("dlcourse.predict", "class and probability of your own images or rows"),
    "compare": ("dlcourse.compare", "recipes beside classic machine learning: score and cost"),
