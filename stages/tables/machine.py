"""Where the pipeline runs, ``params.yaml: machine``: no stage depends on it, since no byte of a result does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from joblib import cpu_count
from pydantic import Field

from stages.tables import params
from stages.tables.errors import UserError

if TYPE_CHECKING:
    import torch


class Machine(params.Section):
    section: ClassVar[str] = "machine"

    workers: Annotated[int, Field(ge=0, le=1024)]  # processes for per-sequence work; 0 is one per core
    scheduler: params.Name | None  # address of a Dask cluster for per-sequence work
    device: Literal["auto", "cpu", "cuda"]


def workers() -> int:
    """Processes for per-sequence work: ``machine.workers``, or one per core where that is 0."""
    return params.read(Machine).workers or cpu_count()


def device() -> torch.device:
    """Where networks run: ``machine.device``, or the GPU if there is one where that is 'auto'."""
    import torch

    name = params.read(Machine).device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    elif name == "cuda" and not torch.cuda.is_available():
        raise UserError("params.yaml: machine.device is 'cuda', and torch finds no GPU here; set it to auto or cpu")
    return torch.device(name)
