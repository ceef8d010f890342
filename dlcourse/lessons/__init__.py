"""Code that only the course needs: maths, errata, exercises, playground and their pictures."""

from dlcourse import lazy

__getattr__, __dir__ = lazy(
    __name__,
    ("maths", "plots"),
    {
        "dlcourse.lessons.errata": "show",
        "dlcourse.lessons.exercises": "check hint solution",
        "dlcourse.lessons.interactive": "interact quiet_start",
        "dlcourse.lessons.playground": "Playground",
    },
)
