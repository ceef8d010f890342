"""Run a class: homework for students, the teacher's edition, and grades without a server.

    dlcourse teach release notebooks/07_overfitting.ipynb --out homework --roster class.txt
    dlcourse teach solutions notebooks/07_overfitting.ipynb --out teacher
    dlcourse teach grade submitted --out grades --roster class.txt

`release` writes notebooks without solutions, one for all or one per student of the roster;
`solutions` writes them with answers, minutes and typical mistakes; `grade` runs each notebook in
a folder, isolated, writes the points and lists the most frequent mistakes.
"""

import argparse
from pathlib import Path

from dlcourse.commands.command_line import Parser, run_command
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
    parser.option("--unsafe", "grade even where nothing isolates a submission")
    arguments = parser.parse_args(argv)
    if arguments.seconds < 1:
        parser.error("--seconds must be at least 1")
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
    found = grading.submissions(arguments.paths, students)
    for student, path in found:
        own = grading.marks(student, path, students, arguments.seconds)
        points, most = (sum(row[what] for row in own) for what in ("points", "most"))
        result = f"{points} of {most}" if most else f"not graded: {own[0]['message']}"
        write(f"{student}  {Path(own[0]['notebook']).name}  {result}")
        rows += own
    for student in [who for who in students if who and who not in dict(found)]:
        write(f"{student}  no submission")
    for path in grading.write_grades(rows, arguments.out):
        write(str(path))
    if wrong := grading.mistakes(rows):
        write("\n" + text_table(["times", "exercise", "the most frequent mistakes"], wrong))
    return 0 if any(row["most"] for row in rows) else 1
