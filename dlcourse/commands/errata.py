"""Every number of the slides, checked: `dlcourse errata [--id S4.logistic] [--json]`."""

import json

from dlcourse.commands.command_line import Parser, run_command
from dlcourse.errors import UserError
from dlcourse.quiet import write


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(prog="dlcourse errata", description="Check every number of the slides.")
    parser.add_argument("--id", help="show one example step by step, such as S4.logistic")
    parser.option("--json", "print the table as JSON")
    arguments = parser.parse_args(argv)
    return run_command(lambda: _run(arguments.id, arguments.json, parser))


def _run(id_: str | None, as_json: bool, parser: Parser) -> int:
    from dlcourse.lessons import errata

    ids = [id_] if id_ is not None else []
    try:
        if as_json:
            write(json.dumps(errata.as_data(*ids), ensure_ascii=False, indent=1))
        else:
            write(errata.worked(*ids) if ids else errata.show())
    except UserError as error:
        parser.error(str(error))
    return 0
