"""python -m flows.fold train@lmf-3 train@dtagn-3: hands folds to the machines of a Prefect work pool.

Each machine has a clone of its own; what a fold reads and what comes out go through the DVC remote that they share
(docs/many_machines.md).
"""

import argparse
import asyncio
import os
import subprocess
import sys

from flows import home

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m flows.fold", description=__doc__)
    parser.add_argument("stages", nargs="+", metavar="stage")
    arguments = parser.parse_args()
    server = home.connect()  # here, since Prefect reads its settings when it is imported

from prefect import flow
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import arun_deployment
from prefect.deployments.runner import EntrypointType, RunnerDeployment
from prefect.states import Completed, Failed, State

from flows import graph
from flows.reproduce import stage

POOL = "folds"


@flow(name="fold")
def fold(name: str) -> State:
    """Brings one stage up to date in this machine's clone, from the shared remote and back to it."""
    os.chdir(home.ROOT)
    try:
        dvc("pull", "--run-cache", *graph.stages().predecessors(name))
        done: State = stage(name, return_state=True)
        if not done.is_completed():
            return Failed(message=done.message)
        dvc("push", "--run-cache", name)
    except RuntimeError as error:
        return Failed(message=str(error))
    return Completed(name=done.name, message=done.message)


def dvc(*command: str) -> None:
    """Raises RuntimeError with DVC's last words when it fails."""
    done = subprocess.run([sys.executable, "-m", "dvc", "--wait-for-lock", *command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"dvc {' '.join(command)} failed; its last words: {done.stderr.strip()[-300:]}")


async def hand_out(names: list[str]) -> list[FlowRun]:
    """Runs each stage on whichever worker of the pool is free; the runs, when all have ended."""
    from flows.fold import fold  # under its own name, by which the workers import it

    deployment = RunnerDeployment.from_flow(fold, POOL, work_pool_name=POOL, entrypoint_type=EntrypointType.MODULE_PATH)
    number = await deployment.aapply()
    runs = (arun_deployment(number, parameters={"name": name}, flow_run_name=name) for name in names)
    return await asyncio.gather(*runs)


if __name__ == "__main__":
    if server is not None:
        sys.exit("error: no Prefect server runs here whose work pool could have workers; start one: make ui")
    states = [run.state for run in asyncio.run(hand_out(arguments.stages))]
    for name, state in zip(arguments.stages, states, strict=True):
        print(f"{name}: {state and (state.message or state.name)}")
    sys.exit(not all(state and state.is_completed() for state in states))
