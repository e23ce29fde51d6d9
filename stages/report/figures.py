"""All figures of the report, by the name of their file."""

from __future__ import annotations

from matplotlib.figure import Figure

from stages.report import charts, pictures, pipeline
from stages.report.run import Run


def draw(run: Run) -> dict[str, Figure]:
    """Draws every figure; see captions.py for what each shows."""
    thresholds = list(run.statistics["gate"]["thresholds"].values())
    return {
        "table": charts.table(run.table),
        "confusion": charts.confusion(run.curves["confusion"], run.statistics["dataset"]["classes"]),
        "gate": charts.gate(run.curves["sfem"], run.curves["threshold"], thresholds),
        "share": charts.share(run.curves["share"], run.statistics["mixed"]["micro_share"]),
        "size": charts.size(run.curves["size"]),
        "learning": charts.learning(run.losses),
        "faces": pictures.faces(run.spread),
        "reading": pictures.reading(run.typical[-1]),
        "emotions": pictures.emotions(run.typical),
        "sequence": pictures.sequence(run.spread[len(run.spread) // 2]),
        "pipeline": pipeline.draw(pipeline.collapse(run.stages)),
    }
