"""Run a class: homework, the teacher's edition, and grades without a server.

dlcourse teach release notebooks/07_overfitting.ipynb --out homework --roster class.txt
dlcourse teach solutions notebooks/07_overfitting.ipynb --out teacher
dlcourse teach grade submitted --out grades --roster class.txt
"""

import argparse

from dlcourse.commands.command_line import Parser, print_error, run_command
from dlcourse.errors import UserError
from dlcourse.quiet import write
from dlcourse.text_table import text_table

TASKS = {
    "release": "write notebooks as homework: no solutions, nbgrader's metadata",
    "solutions": "write the teacher's edition: answers, minutes, typical mistakes",
    "grade": "run submissions in isolation, write their grades, print the mistakes",
}


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(prog="dlcourse teach", description=__doc__, epilog="See notebooks/README.md.")
    tasks = parser.add_subparsers(dest="task", required=True, metavar="|".join(TASKS))
    for name, text in TASKS.items():
        task = tasks.add_parser(name, help=text, description=f"{text.capitalize()}.")
        what = "folder with a file or a folder per student" if name == "grade" else "a notebook"
        task.add_argument("paths", nargs=1 if name == "grade" else "+", metavar="PATH", help=what)
        task.option("--out", "folder to write to", "DIR", required=True)
        if name != "solutions":
            task.option("--roster", "one student per line, each with numbers of their own", "FILE")
        if name == "grade":
            task.option(
                "--seconds", "longest time of a submission (600)", "N", type=int, default=600
            )
            task.option(
                "--gib", "most memory of a submission, in GiB (4)", "N", type=int, default=4
            )
            task.option("--unsafe", "run submissions even where nothing isolates them")
    arguments = parser.parse_args(argv)
    return run_command(lambda: (_grade if arguments.task == "grade" else _editions)(arguments))


def _editions(arguments: argparse.Namespace) -> int:
    from dlcourse.lessons.teaching import editions, roster

    students = [""] if arguments.task == "solutions" else roster(arguments.roster)
    for path in editions.write(
        arguments.paths, arguments.out, students, arguments.task == "solutions"
    ):
        write(str(path))
    return 0


def _grade(arguments: argparse.Namespace) -> int:
    from dlcourse.lessons.teaching import grading, isolation, numbers_of, roster

    if isolation.isolation() is None and not arguments.unsafe:
        raise UserError(grading.NO_ISOLATION)
    rows, students = [], [*filter(None, roster(arguments.roster))]
    limits = {"seconds": max(1, arguments.seconds), "gib": max(1, arguments.gib)}
    for student, path in grading.submissions(arguments.paths[0], students):
        numbers = numbers_of(student if students else "")
        try:
            own = grading.marks(student, path, numbers=numbers, **limits)
        except UserError as error:
            print_error(str(error))
            continue
        rows += own
        points, most = (sum(row[what] for row in own) for what in ("points", "most"))
        write(f"{student}  {path.name}  {points} of {most}")
    for student in sorted({*students} - {*(row["student"] for row in rows)}):
        write(f"{student}  no submission")
    for path in grading.write_grades(rows, arguments.out) if rows else ():
        write(str(path))
    if found := grading.mistakes(rows):
        write("\n" + text_table(["times", "exercise", "the most frequent mistakes"], found))
    return 0 if rows else 1
