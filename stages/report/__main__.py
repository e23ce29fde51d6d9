"""python -m stages.report: results and the tables behind them -> figures/ and report.html, which opens from disk."""

from pathlib import Path

from stages.report import figures, machine, page
from stages.report.captions import CAPTIONS
from stages.report.run import read
from stages.report.style import render, style
from stages.tables import room

RESULTS = Path("results")


def main() -> None:
    run = read()
    with style():
        drawn = {name: render(figure) for name, figure in figures.draw(run).items()}
    embedded = {name: page.Picture(CAPTIONS[name], data[CAPTIONS[name].kind]) for name, data in drawn.items()}
    embedded |= {name: page.Picture(CAPTIONS[name], data) for name, data in run.drawn.items()}
    html = page.render(run, embedded, machine.machine(), machine.versions())
    files = {f"figures/{name}.{kind}": data for name, kinds in drawn.items() for kind, data in kinds.items()}
    files["report.html"] = html.encode()
    for name, data in files.items():
        with room.renamed(RESULTS / name) as file:
            file.write_bytes(data)
    room.say("report", f"{len(drawn)} figures, a page of {len(html) / 1e6:.1f} MB -> {RESULTS}/report.html, figures/")


if __name__ == "__main__":
    room.run(main, __doc__)
