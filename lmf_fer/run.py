"""The commands that run flows. Prefect is imported once the process knows its server, since it reads it then."""

from __future__ import annotations

import asyncio
import signal
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from flows import graph, parameters, record, server
from stages.tables import pipeline
from stages.tables.errors import UserError

TABLE = Path("results/table.md")


def reproduce(overrides: list[str], workers: int, address: str | None = None) -> str:
    """Runs the pipeline; the table, and how the run compares with the recorded one.

    Where nothing is to be done, Prefect, which takes longest, is not started. Raises UserError when a stage fails, or
    without a server at ``address``.
    """
    server.make_home()
    graph.usable()
    if not overrides and address is None:
        ignore = (signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is this process's affair
        pool = ProcessPoolExecutor(1, initializer=signal.signal, initargs=ignore)
        check = pool.submit(parameters.check)  # beside the rest, since it imports torch
        pool.shutdown(wait=False)
        stages, known = graph.up_to_date()
        if known >= {*stages}:
            compared = record.text(stages)
            check.result()
            return f"{TABLE.read_text(encoding='utf-8')}\n{len(stages)} unchanged. {compared}"
    own = server.connect(address)
    from httpx import HTTPError

    from flows import reproduce as flow

    if own is not None:
        server.await_server(own)
    try:
        state = flow.reproduce(overrides=overrides, workers=workers, return_state=True)
    except HTTPError as error:
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"Prefect's server failed ({reason}); if the disk is full, free some space; its log is {server.LOG}"
        ) from None
    if not state.is_completed():
        raise UserError(state.message)
    return f"{TABLE.read_text(encoding='utf-8')}\n{str(state.message).partition(chr(10))[2]}"


def fold(names: list[str], address: str | None = None) -> None:
    """Runs each stage on whichever worker of the pool is free, until all have ended.

    Raises UserError when there is no such stage, no server, or when a stage fails.
    """
    known = pipeline.graph()
    if unknown := [name for name in names if name not in known]:
        raise UserError(f"dvc.yaml has no stage {', '.join(unknown)}; dvc stage list --name-only shows what it has")
    if server.connect(address) is not None:
        raise UserError("no Prefect server runs here whose work pool could have workers; start one: make ui")
    from prefect.client.schemas.objects import State
    from prefect.deployments import arun_deployment
    from prefect.deployments.runner import EntrypointType, RunnerDeployment

    from flows.fold import fold

    async def hand_out() -> list[State | None]:
        module = EntrypointType.MODULE_PATH  # by which the workers import it
        deployment = RunnerDeployment.from_flow(fold, "folds", work_pool_name="folds", entrypoint_type=module)
        number = await deployment.aapply()
        runs = (arun_deployment(number, parameters={"name": name}, flow_run_name=name) for name in names)
        return [run.state for run in await asyncio.gather(*runs)]

    states = asyncio.run(hand_out())
    for name, state in zip(names, states, strict=True):
        print(f"{name}: {state and (state.message or state.name)}")
    if failed := sum(not (state and state.is_completed()) for state in states):
        raise UserError(f"{failed} of {len(names)} stages did not complete; the lines above say why")
