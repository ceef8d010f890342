"""Run a class: homework for students, the teacher's edition, and grades without a server.

    dlcourse teach release notebooks/07_overfitting.ipynb --out homework --roster class.txt
    dlcourse teach solutions notebooks/07_overfitting.ipynb --out teacher
    dlcourse teach grade submitted --out grades --roster class.txt

`release` writes notebooks without solutions, one for all or one per student of the roster;
`solutions` writes them with answers, minutes and typical mistakes; `grade` runs each notebook in
a folder, isolated, writes the points and lists the most frequent mistakes.
"""

import argparse

from dlcourse.commands.command_line import Parser, print_error, run_command
from dlcourse.errors import UserError
from dlcourse.quiet import write
from dlcourse.text_table import text_table


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(prog="dlcourse teach", description=__doc__, epilog="See notebooks/README.md.")
    parser.add_argument("task", choices=("release", "solutions", "grade"))
    parser.add_argument("paths", nargs="+", help="notebooks; for grade, folders of submissions")
    parser.option("--out", "folder to write to", "DIR", required=True)
    parser.option("--roster", "one student per line, each with numbers of their own", "FILE")
    parser.option("--seconds", "longest time of a submission (600)", "N", type=int, default=600)
    parser.option("--gib", "most memory of a submission, in GiB (4)", "N", type=int, default=4)
    parser.option("--unsafe", "grade even where nothing isolates a submission")
    arguments = parser.parse_args(argv)
    if min(arguments.seconds, arguments.gib) < 1:
        parser.error("--seconds and --gib must be at least 1")
    return run_command(lambda: (_grade if arguments.task == "grade" else _editions)(arguments))


def _editions(arguments: argparse.Namespace) -> int:
    from dlcourse.lessons.teaching import editions, roster

    teacher, students = arguments.task == "solutions", roster(arguments.roster)
    for path in editions.write(arguments.paths, arguments.out, students, teacher):
        write(str(path))
    return 0


def _grade(arguments: argparse.Namespace) -> int:
    from dlcourse.lessons.teaching import grading, roster

    rows, students = [], roster(arguments.roster)
    grading.require_isolation(arguments.unsafe)
    for student, path in grading.submissions(arguments.paths, students):
        try:
            own = grading.marks(student, path, students, arguments.seconds, arguments.gib)
        except UserError as error:
            print_error(str(error))
            continue
        rows += own
        points, most = (sum(row[what] for row in own) for what in ("points", "most"))
        write(f"{student}  {path.name}  {points} of {most}")
    for student in [*students] if students[0] else ():
        if student not in [row["student"] for row in rows]:
            write(f"{student}  no submission")
    for path in grading.write_grades(rows, arguments.out) if rows else ():
        write(str(path))
    if found := grading.mistakes(rows):
        write("\n" + text_table(["times", "exercise", "the most frequent mistakes"], found))
    return 0 if rows else 1
