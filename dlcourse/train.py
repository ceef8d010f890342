"""python -m dlcourse.train: train a recipe, print its metrics, save its run."""

from dlcourse.commands.train import main

if __name__ == "__main__":
    raise SystemExit(main())
