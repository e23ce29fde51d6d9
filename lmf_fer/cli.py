"""The command ``lmf-fer``: arguments and help. Each command imports what does the work when it runs, and no sooner."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer import Argument, Option
from typer.core import TyperGroup

from stages.tables import files
from stages.tables.errors import UserError
from stages.tables.stage import leave, print_utf8

Server = Annotated[
    str | None, Option(metavar="URL", help="Report to this Prefect server instead of the project's own.")
]


class Commands(TyperGroup):
    """All commands. Exit status: 0 done, 1 failed with one line that says why, 2 wrong arguments, 130 Ctrl-C."""

    def invoke(self, ctx: Any) -> Any:
        if sys.getfilesystemencoding() != "utf-8":  # neither DVC nor Prefect could name a folder with an umlaut
            os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | {"PYTHONUTF8": "1"})
        print_utf8()
        try:
            with files.full_disk():
                return super().invoke(ctx)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            raise typer.Exit(1) from None
        finally:
            leave()


app = typer.Typer(cls=Commands, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False,
                  help="Facial micro-expressions from landmarks: a reproduction of LMF-FER.",
                  context_settings={"help_option_names": ["-h", "--help"]})  # fmt: skip


@app.command()
def reproduce(
    overrides: Annotated[list[str], Option("-S", metavar="KEY=VALUE", help="First change a line of params.yaml.")] = [],  # noqa: B006
    workers: Annotated[int, Option(min=0, help="Stages side by side; 0 is as many as there are cores for.")] = 0,
    server: Server = None,
) -> None:
    """Run the whole pipeline and print the table. Stages that are up to date are not run again."""
    from lmf_fer import run

    print(run.reproduce(overrides, workers, server))


@app.command()
def loso(
    name: Annotated[str, Argument(metavar="NAME", help="The data set, as in params.yaml: casme2, megc2019, ...")],
    root: Annotated[Path, Argument(metavar="ROOT", help="The folder that holds it.")],
    workers: Annotated[int, Option(min=0, help="Stages side by side; 0 is as many as there are cores for.")] = 0,
) -> None:
    """Run the pipeline on a data set, leaving one subject out. It changes params.yaml."""
    from lmf_fer import loso

    loso.run(name, root, workers)


@app.command()
def ui(
    port: Annotated[int, Option(min=1, max=65535, help="Port of the page on 127.0.0.1.")] = 4200,
    runner: Annotated[str, Option("--runner", hidden=True)] = "",
) -> None:
    """Open Prefect's page, to start and follow runs. It and everything that it started end with Ctrl-C."""
    from lmf_fer import ui

    ui.serve(runner) if runner else ui.open(port)


@app.command()
def check() -> None:
    """Check all of params.yaml. A run does so too, before anything else."""
    from flows import parameters
    from stages.tables import params

    print(f"{params.PARAMS}: {len(params.flat(parameters.check()))} parameters, all valid")


@app.command()
def doctor() -> None:
    """Look at this machine and environment. Nothing is changed."""
    from lmf_fer import doctor

    doctor.examine()


@app.command()
def verify() -> None:
    """Check what is installed. Archives are compared with hashes.txt, files with their package's RECORD."""
    from lmf_fer import environment

    environment.verify()


@app.command()
def licences() -> None:
    """Print the licence of every installed package."""
    from lmf_fer import environment

    environment.licences()


@app.command()
def lock() -> None:
    """Write hashes.txt anew. This needs uv and the package index."""
    from lmf_fer import environment

    environment.lock()


@app.command()
def predict(
    paths: Annotated[list[Path], Argument(metavar="PATH", help="Folders of frames, video files, or trees of them.")],
    out: Annotated[Path, Option(help="Folder for the tables and pictures.")] = Path("results/clips"),
    video: Annotated[bool, Option("--video", help="Also each clip as a video with its landmarks.")] = False,
    strip: Annotated[bool, Option("--strip", help="Also a picture of each clip's frames and LMF maps.")] = False,
    networks: Annotated[
        Literal["auto", "run", "shipped"],
        Option(help="The last run's, or the shipped LMF-FER; auto: the last run's, if it is finished."),
    ] = "auto",
) -> None:
    """Recognise the expression in clips. The last run's networks do it, or the shipped one."""
    from lmf_fer.predict import command

    command.predict(paths, out, video, strip, networks)


@app.command()
def spot(
    paths: Annotated[
        list[Path] | None, Argument(metavar="[PATH]", help="Films, folders of frames, or trees of them; - is a pipe.")
    ] = None,
    out: Annotated[Path, Option(help="Folder for the tables and pages.")] = Path("results/films"),
    video: Annotated[bool, Option("--video", help="Also each film as a video with landmarks and expressions.")] = False,
    camera: Annotated[int | None, Option(min=0, help="Number of a camera; Ctrl-C ends its film.")] = None,
    networks: Annotated[
        Literal["auto", "run", "shipped"],
        Option(help="The last run's, or the shipped LMF-FER; auto: the last run's, if it is finished."),
    ] = "auto",
    rate: Annotated[float, Option(min=1, max=1000, help="Frames a second of what has no times of its own.")] = 30,
) -> None:
    """Find the expressions in films, then name them. A film without one is an answer too."""
    from lmf_fer.spot import command

    command.spot(paths or [], out, networks, rate, video, camera)


@app.command()
def transfer(
    root: Annotated[Path, Argument(metavar="ROOT", help="Folder of the data set, or a Parquet file of tracks.")],
    dataset: Annotated[
        str | None, Option(help="Its name as in params.yaml; without it, tracks or ckplus, whichever it looks like.")
    ] = None,
    networks: Annotated[
        Literal["auto", "run", "shipped"],
        Option(help="Learn from the last run, or take the shipped LMF-FER; auto: the last run, if there is one."),
    ] = "auto",
    fine_tune: Annotated[
        bool, Option("--fine-tune", help="Also fine-tune the shipped one there, leaving one subject out at a time.")
    ] = False,
    groups: Annotated[
        int,
        Option(min=0, help="With --fine-tune: leave subjects out in so many groups, to save time; 0 is one by one."),
    ] = 0,
) -> None:
    """Test on another data set what was learnt before. The table is written to results/beyond."""
    from lmf_fer.transfer import command

    command.transfer(root, dataset, networks, fine_tune, groups)


@app.command()
def compare(
    before: Annotated[str, Argument(metavar="BEFORE", help="Git revision, DVC experiment, or folder with a run.")],
    after: Annotated[str, Argument(metavar="AFTER", help="Likewise; without it, this folder's own run.")] = ".",
) -> None:
    """Show two runs side by side. This covers the table, exact tests, and the parameters that differ."""
    from lmf_fer import compare

    print(compare.text(compare.find(before), compare.find(after)))


@app.command()
def recorded(
    revision: Annotated[str, Argument(metavar="REVISION", help="Git revision that has the recorded run.")] = "HEAD",
) -> None:
    """Compare this run with the recorded one. Says which stages are the same bytes, and where the first differs."""
    from flows import record
    from stages.tables import pipeline

    print(record.text(pipeline.graph(), revision))


@app.command()
def record() -> None:
    """Record this run and its processor. The hash of every output is added to results/machines.csv."""
    from flows import record

    print(record.record())


@app.command()
def fold(
    stages: Annotated[list[str], Argument(metavar="STAGE", help="Stages of dvc.yaml, such as train-lmf@3.")],
    server: Server = None,
) -> None:
    """Hand stages to the machines of a work pool. See docs/many_machines.md."""
    from lmf_fer import run

    run.fold(stages, server)
