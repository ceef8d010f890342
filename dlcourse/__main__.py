"""python -m dlcourse: the commands."""

from dlcourse.commands import main

if __name__ == "__main__":
    raise SystemExit(main())
