"""dlcourse app: the page on which one draws, sees, plays and teaches, in a browser."""

import argparse

from dlcourse.commands.command_line import Parser, run_command


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    text = "Serve a page: draw, see why the network answers what it answers, play, and teach it."
    parser = Parser(prog="dlcourse app", description=text)
    default = "digits_cnn, trained first"
    parser.option(
        "--run", f"a run's folder; may be repeated ({default})", "DIR", action="append", default=[]
    )
    parser.option("--runs", "folder of all runs (default: runs)", "DIR", default="runs")
    parser.option("--port", "port (default: 7860)", "N", type=int, default=7860)
    parser.option("--host", "address to serve to (127.0.0.1)", "HOST", default="127.0.0.1")
    parser.option("--password", "password that the page asks for", "TEXT")
    arguments = parser.parse_args(argv)
    return run_command(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from dlcourse.webapp.server import serve

    serve(**vars(arguments))
    return 0
