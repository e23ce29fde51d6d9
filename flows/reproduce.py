"""python -m flows.reproduce: the whole pipeline as a Prefect flow, one task per DVC stage.

DVC decides what runs and is the only cache; Prefect decides when, shows it, and runs independent stages side by side.
The results are the same bytes as those of ``dvc repro``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
os.environ.setdefault("PREFECT_HOME", str(ROOT / ".prefect"))
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
# The first start of an empty home creates its data base, which takes a while on a slow disk.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")

from prefect import flow, get_run_logger, task  # noqa: E402  (the settings above are read at import)
from prefect.artifacts import create_markdown_artifact  # noqa: E402
from prefect.cache_policies import NO_CACHE  # noqa: E402
from prefect.futures import PrefectFuture, wait  # noqa: E402
from prefect.states import Completed, State  # noqa: E402
from prefect.task_runners import ThreadPoolTaskRunner  # noqa: E402

from flows.graph import stages  # noqa: E402

TABLE = Path("results/table.md")


@task(cache_policy=NO_CACHE, task_run_name="{name}")
def stage(name: str) -> State:
    """Brings one DVC stage up to date. The task's final state says what DVC did: Ran, Restored or Unchanged."""
    logger, said = get_run_logger(), []
    # Both flags are needed for stages side by side: wait for DVC's lock, and leave the stages before this one alone.
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", name]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=os.environ | {"PATH": path, "DVC_NO_ANALYTICS": "1"}) as process:  # fmt: skip
        try:
            for line in process.stdout or ():
                said.append(line.rstrip())
                logger.info(said[-1])
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        raise RuntimeError(f"stage {name} failed; its last words: {' | '.join(filter(None, said[-3:]))}")
    outcome = "Unchanged"
    for line in said:
        if line.startswith("Running stage"):
            outcome = "Ran"
        elif line.endswith("is cached - skipping run, checking out outputs"):
            outcome = "Restored"
    return Completed(name=outcome, message=f"{name}: {outcome.lower()}")


@flow(name="reproduce", log_prints=True)
def reproduce() -> None:
    """Walks DVC's graph: a stage starts as soon as the stages it depends on are done."""
    futures: dict[str, PrefectFuture[Any]] = {}
    for name, below in stages().items():
        futures[name] = stage.submit(name, return_state=False, wait_for=[futures[needed] for needed in below])
    wait(list(futures.values()))
    failed = [name for name, future in futures.items() if not future.state.is_completed()]
    if failed:
        raise RuntimeError(f"these stages did not complete: {', '.join(failed)}")
    create_markdown_artifact(TABLE.read_text(), key="table", description="The regenerated results table")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m flows.reproduce", description=__doc__)
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count(), help="stages side by side (default: one per core)"
    )
    workers = parser.parse_args().workers
    os.chdir(ROOT)
    reproduce.with_options(task_runner=ThreadPoolTaskRunner(max_workers=workers))()  # type: ignore[arg-type]
    print(TABLE.read_text())


if __name__ == "__main__":
    main()
