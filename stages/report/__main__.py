"""python -m stages.report: results and the tables behind them -> figures/, the page report.html, and times/."""

from stages.report import figures, machine, page
from stages.report.captions import CAPTIONS
from stages.report.run import RESULTS, read
from stages.report.style import render, style
from stages.tables import files, stage


def main() -> None:
    run = read()
    with style():
        drawn = {name: render(figure) for name, figure in figures.draw(run).items()}
    pictures = {name: page.Picture(CAPTIONS[name], data[CAPTIONS[name].kind]) for name, data in drawn.items()}
    pictures |= {name: page.Picture(CAPTIONS[name], data) for name, data in run.benchmark_figures.items()}
    html = page.render(run, pictures)
    for name, kinds in drawn.items():
        for kind, data in kinds.items():
            files.write(RESULTS / f"figures/{name}.{kind}", data)
    files.write(RESULTS / "report.html", html)
    files.write(page.TIMES_PAGE, page.render_times(run, machine.machine(), machine.versions()))
    size = f"a page of {len(html) / 1e6:.1f} MB"
    stage.summary("report", f"{len(drawn)} figures, {size} -> {RESULTS}/report.html, figures/")


if __name__ == "__main__":
    stage.run(main, __doc__)
