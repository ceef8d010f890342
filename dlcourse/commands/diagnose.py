"""dlcourse diagnose: what a run's curves and layers show, and one thing to try."""

import argparse
from typing import TYPE_CHECKING, Any

from dlcourse.commands import generation
from dlcourse.commands.command_line import Parser, run_command, write_json
from dlcourse.quiet import import_keras, write
from dlcourse.text_table import text_table

if TYPE_CHECKING:
    from dlcourse.lab.diagnosis import Evidence, Finding, LayerStatistics
    from dlcourse.runs import Run


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(
        prog="dlcourse diagnose",
        description="Report what a run's curves and layers show, most serious first, and what to "
        "try; save figures/diagnosis.png and figures/xray.png in the run's folder.",
    )
    parser.option("--run", "the run's folder", "DIR", required=True)
    parser.option("--json", "print JSON")
    arguments = parser.parse_args(argv)
    return run_command(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from dlcourse.runs import read_run

    run = read_run(arguments.run)
    run.file("dataset.json")
    if run.generates:
        return generation.diagnose(run, arguments.json)
    import_keras()
    from dlcourse.lab.diagnosis import diagnose_evidence
    from dlcourse.lab.diagnosis.examination import examine
    from dlcourse.lab.pictures import save_diagnosis

    examination = examine(run)
    evidence, note = examination.evidence, examination.note
    findings = diagnose_evidence(evidence)
    paths = save_diagnosis(run, examination)
    if arguments.json:
        write_json(_as_json(run, evidence, findings, note))
        return 0
    write(f"run     {run.path}")
    if note:
        write(f"note    {note}")
    write(f"\n{findings}")
    if evidence.xray:
        write("\n" + layer_table(evidence))
    write("".join(f"\nfigure  {path}" for path in paths))
    return 0


def layer_table(evidence: "Evidence") -> str:
    """Return the layers' statistics at the last probe as a text table."""
    epoch = max(evidence.xray)
    when = f"after epoch {epoch}" if epoch else "before training"
    names = ("mean", "spread", "saturated", "dead", "gradient", "grad/weight", "equal")
    return text_table([when, "activation", *names], list(map(_layer_row, evidence.xray[epoch])))


def _layer_row(layer: "LayerStatistics") -> list[str]:
    return [
        layer.name,
        layer.activation,
        *(f"{number:.3g}" for number in (layer.mean, layer.spread)),
        *(f"{share:.0%}" for share in (layer.saturated, layer.dead)),
        *(f"{number:.2g}" for number in (layer.gradient_norm, layer.gradient_to_weight)),
        f"{layer.equal:.0%}",
    ]


def _as_json(run: "Run", data: "Evidence", findings: "list[Finding]", note: str) -> dict[str, Any]:
    return {
        "run": str(run.path),
        "note": note,
        "findings": [finding.as_dict() for finding in findings],
        "xray": {
            str(epoch): [layer._asdict() for layer in layers] for epoch, layers in data.xray.items()
        },
    }
