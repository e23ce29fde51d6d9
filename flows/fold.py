"""One stage, such as a fold's training, on a machine of a Prefect work pool. ``lmf-fer fold`` hands them out.

Each machine has a clone of its own; what a stage reads and what comes out go through the DVC remote that they share
(docs/many_machines.md).
"""

import os
import subprocess
import sys

from flows import server  # before Prefect, which reads its settings when it is imported

# isort: split
from prefect import flow
from prefect.states import Completed, Failed, State

from flows.reproduce import stage
from stages.tables import pipeline
from stages.tables.errors import UserError


@flow(name="fold")
def fold(name: str) -> State:
    """Brings one stage up to date in this machine's clone, from the shared remote and back to it."""
    os.chdir(server.ROOT)
    try:
        dvc("pull", "--run-cache", *pipeline.graph().predecessors(name))
        done: State = stage(name, return_state=True)
        if not done.is_completed():
            return Failed(message=done.message)
        dvc("push", "--run-cache", name)
    except UserError as error:
        return Failed(message=str(error))
    return Completed(name=done.name, message=done.message)


def dvc(*command: str) -> None:
    """Raises UserError with DVC's last words when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "--wait-for-lock", *command], capture_output=True, encoding="utf-8"
    )
    if done.returncode:
        raise UserError(f"dvc {' '.join(command)} failed; its last words: {done.stderr.strip()[-300:]}")
