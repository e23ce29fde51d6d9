"""The whole pipeline as a Prefect flow, one task per DVC stage. ``lmf-fer reproduce`` runs it.

DVC decides what runs and is the only cache; Prefect decides when, shows it, and runs independent stages side by side.
The results are the same bytes as those of ``dvc repro``.
"""

import base64
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from flows import server  # before Prefect, which reads its settings when it is imported

# isort: split
from filelock import FileLock, Timeout
from prefect import Task, flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun
from prefect.futures import PrefectFuture, wait
from prefect.states import Completed, Failed, State
from prefect.task_runners import ThreadPoolTaskRunner

from flows import graph, parameters, record, supervised
from flows.parameters import Changes
from stages.tables import params, pipeline
from stages.tables.errors import UserError

TABLE, FIGURES = Path("results/table.md"), Path("results/figures")
LOCK = server.HOME / "reproduce.lock"
CONTENTION = re.compile(r"[Uu]nable to acquire lock|is busy, it is being blocked by|database is locked")
ADVICE = re.compile(r"To track the changes|\s+git add|To enable auto|\s+dvc config|Use `dvc push`")


class Contention(RuntimeError):
    """Another process held a lock for longer than DVC waits: worth another try."""


def is_contention(task: Task[..., Any], run: TaskRun, state: State) -> bool:
    """Whether a task that failed is to be tried again."""
    return isinstance(state.result(raise_on_failure=False), Contention)


@task(cache_policy=NO_CACHE, task_run_name="{name}", retries=3, retry_delay_seconds=[2, 5, 15], retry_jitter_factor=0.5,
      retry_condition_fn=is_contention)  # fmt: skip
def stage(name: str, known: bool = False) -> State:
    """Brings one DVC stage up to date. The task's final state says what DVC did: Ran, Restored or Unchanged.

    DVC is not asked where it is ``known`` to be up to date, with all that it depends on.
    """
    if known:
        return Completed(name="Unchanged", message=f"{name}: unchanged")
    logger, lines = get_run_logger(), []
    # Both flags are needed for stages side by side: wait for DVC's lock, and leave the stages before this one alone.
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", name]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    settings = {"PATH": path, "DVC_NO_ANALYTICS": "1", "PYTHONUNBUFFERED": "1"}
    process = supervised.start(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env=dict(os.environ) | settings)  # fmt: skip
    try:
        for line in map(str.rstrip, process.stdout or ()):
            if line and not ADVICE.match(line):
                lines.append(line)
                logger.info(line)
    finally:
        status = supervised.stop(process)
    if status != 0:
        failure = f"stage {name} failed; its last words: {' | '.join(lines[-3:])}"
        if any(map(CONTENTION.search, lines)):
            raise Contention(failure)
        return Failed(message=failure)
    outcome = "Unchanged"
    for line in lines:
        if line.startswith("Running stage"):
            outcome = "Ran"
        elif line.endswith("is cached - skipping run, checking out outputs"):
            outcome = "Restored"
    return Completed(name=outcome, message=f"{name}: {outcome.lower()}")


@flow(name="reproduce")
def reproduce(changes: Changes = Changes(), overrides: list[str] = [], workers: int = 0) -> State:  # noqa: B006, B008
    """Brings the results up to date: runs each DVC stage whose inputs, code or parameters changed, and no other.

    Args:
        changes: Lines of params.yaml to change first; what is left empty stays as it is. The changes are written
            into params.yaml and stay there, as with `dvc exp run -S`.
        overrides: Any other line of params.yaml, written as `section.key=value`.
        workers: Stages that run side by side; 0 is as many as the machine has cores for.
    """
    os.chdir(server.ROOT)
    logger = get_run_logger()
    try:
        with FileLock(LOCK, timeout=0):
            pass
    except Timeout:
        logger.warning("another run goes on in this folder; this one waits until it has ended")
    with FileLock(LOCK):  # two runs would change params.yaml under each other; a killed run's lock is free
        try:
            for file in graph.mend():
                logger.warning(
                    f"{file} was half-written when DVC was killed; removed, DVC's cache knows what was in it"
                )
            if graph.without_git():
                logger.info("no git here: all works but dvc exp, dvc metrics diff and comparisons with commits")
            for line in parameters.apply([*changes.overrides(), *overrides]):
                logger.info(line)
            workers = workers or max(1, (os.cpu_count() or 1) // params.line("train.threads", int))
            stages, known = graph.up_to_date()
        except UserError as error:
            return Failed(message=str(error))
        futures: dict[str, PrefectFuture[Any]] = {}
        with ThreadPoolTaskRunner(max_workers=workers) as runner:  # type: ignore[var-annotated]
            try:
                for name in pipeline.order(stages):
                    before = [futures[it] for it in stages.predecessors(name)]
                    futures[name] = runner.submit(stage, {"name": name, "known": name in known}, wait_for=before)
                wait(list(futures.values()))
            except BaseException:  # cancelled, or Ctrl-C
                supervised.stop_all()
                raise
        states = [future.state for future in futures.values()]
        if not all(state.is_completed() for state in states):
            failures = [str(state.message) for state in states if state.is_failed()]
            return Failed(message="; ".join(failures) or "a stage did not complete")
        publish()
        try:
            compared = record.text(stages)
        except UserError as error:
            compared = str(error)
        logger.info(compared)
    count = Counter(str(state.name).lower() for state in states)
    done = ", ".join(f"{number} {outcome}" for outcome, number in sorted(count.items()))
    return Completed(message=f"{done}\n{compared}")


def publish() -> None:
    """The results table and the figures as artifacts of the run."""
    create_markdown_artifact(
        TABLE.read_text(encoding="utf-8"), key="table", description="The regenerated results table"
    )
    for figure in sorted(FIGURES.glob("*.png")):
        # Within the text itself: the page reads no files, and a figure is to stay with its run.
        image = base64.b64encode(figure.read_bytes()).decode()
        create_markdown_artifact(f"![{figure.stem}](data:image/png;base64,{image})", key=f"figure-{figure.stem}",
                                 description=str(figure))  # fmt: skip
