"""The optimisation loop that all networks share."""

from __future__ import annotations

import ctypes
import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import torch
from pydantic import Field
from torch import Tensor, nn

from stages.tables import stage
from stages.tables.muon import Muon
from stages.tables.params import Count, Factor, Section
from stages.train.checkpoint import Checkpoint

if TYPE_CHECKING:
    from dvclive import Live

CLIP = 1.0
"""Largest norm of the gradient."""

Part: TypeAlias = Annotated[float, Field(gt=0, le=1)]
Motion: TypeAlias = Annotated[float, Field(ge=0, le=10)]
Dropout: TypeAlias = Annotated[float, Field(ge=0, lt=1)]


class Schedule(Section):
    """How long and how fast to learn; none of it is in the poster."""

    epochs: Count
    batch: Annotated[int, Field(ge=2, le=1_000_000)]  # sequences
    learning_rate: Factor  # the peak of a one-cycle schedule


class Width(Section):
    """A factor on the sizes of the published network, for each profile."""

    default: Factor
    paper: Factor

    def of(self, profile: str) -> float:
        return float(getattr(self, profile))


@dataclass
class Trainer:
    """Trains the parts of one network, one after another.

    Every ``pause`` seconds, at the end of an epoch, it writes all that it knows to ``checkpoint``. A trainer that finds
    there what another of the same ``key`` left goes on from it, and ends with the same weights to the last bit.

    No step learns from the last ``held_out`` of the rows; where there are any, the epoch with their least loss is kept.
    """

    label: str = "train"  # of the progress bars
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    checkpoint: Path | None = None
    key: str = ""  # names what is trained on what: another key's checkpoint is of no use
    compile: bool = False  # whether networks are to be compiled before they learn
    held_out: int = 0
    live: Live | None = None  # where DVC's tools read every epoch's loss while it is trained
    pause: float = 60.0
    profile: str = "default"  # which of the widths in their Config networks have
    history: dict[str, list[float]] = field(default_factory=dict)  # mean loss of every epoch, by part

    def __post_init__(self) -> None:
        _keep_memory()
        self._checkpoint = Checkpoint(self.checkpoint, self.key, self.pause)

    def minimise(
        self,
        part: str,
        network: nn.Module,
        parameters: Iterable[nn.Parameter],
        loss: Callable[[Tensor], Tensor],
        count: int,
        schedule: Schedule,
    ) -> None:
        """Minimises ``loss`` over ``count`` sequences, less those held out, and notes the losses under ``part``.

        ``loss`` takes the positions of a batch (int64, on the device) and gives its mean loss; ``parameters`` are those
        of ``network`` that learn. An epoch sees each sequence once. With nothing held out, the last epoch is kept.
        Random choices come from torch's global generator, which the caller has seeded. On a GPU the loss is computed in
        bfloat16 where torch thinks that safe.
        """
        learnt = count - self.held_out
        batches = max(learnt // schedule.batch, 1)
        optimiser = _Optimiser(parameters, schedule.learning_rate, schedule.epochs * batches)
        validation = f"{part}, held out"
        best: dict[str, Tensor] = {}  # the weights of the epoch with the least loss of the rows held out
        for name in [part, validation] if self.held_out else [part]:
            self.history[name] = []
            self._note(name, *self._checkpoint.history.get(name, []))
        if self._checkpoint.part == part:
            best = self._checkpoint.resume(network, optimiser)
        elif part in self._checkpoint.history:
            return  # it ended before the checkpoint, which holds its weights
        epochs = range(len(self.history[part]), schedule.epochs)
        for _ in stage.progress(epochs, f"{self.label} {part}", len(epochs)):
            # What would be a last, smaller batch waits for the next shuffle: batch normalisation dislikes tiny batches.
            order = torch.randperm(learnt)[: batches * schedule.batch].to(self.device)
            self._note(part, self._epoch(loss, order.split(schedule.batch), optimiser) / batches)
            if self.held_out:
                rows = torch.arange(learnt, count, device=self.device)
                self._note(validation, self._validated(network, loss, rows, schedule.batch))
                if self.history[validation][-1] <= min(self.history[validation]):
                    best = {name: value.clone() for name, value in network.state_dict().items()}
            self._checkpoint.write(part, self.history, best, network, optimiser)
        if best:
            network.load_state_dict(best)

    def forget(self) -> None:
        """Removes the checkpoint, once what was trained is written."""
        self._checkpoint.remove()

    def _epoch(self, loss: Callable[[Tensor], Tensor], batches: Iterable[Tensor], optimiser: _Optimiser) -> float:
        """Steps once a batch; the sum of their losses."""
        total = torch.zeros((), device=self.device)
        for batch in batches:
            optimiser.zero_grad()
            with self._precision():
                value = loss(batch)
            value.backward()
            optimiser.step()
            total += value.detach()
        return total.item()

    def _validated(self, network: nn.Module, loss: Callable[[Tensor], Tensor], rows: Tensor, batch: int) -> float:
        """The mean loss of rows that no step sees. What a step does to its batch is the same for them in all epochs."""
        modes = [(module, module.training) for module in network.modules()]
        network.eval()
        with torch.random.fork_rng(), torch.inference_mode(), self._precision():
            torch.manual_seed(0)
            total = sum(loss(some) * len(some) for some in rows.split(batch))
        for module, training in modes:
            module.training = training
        return float(total) / len(rows)

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda")

    def _note(self, name: str, *losses: float) -> None:
        """Adds the losses of the next epochs."""
        for loss in losses:
            self.history[name].append(loss)
            if self.live:
                self.live.step = len(self.history[name])
                self.live.log_metric(f"{name}/loss", loss)
                self.live.next_step()


class _Optimiser:
    """Weights learn by Muon, biases and normalisations by Adam at a fifth of its rate, both in one cycle of ``steps``.

    ``learning_rate`` is Muon's peak.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], learning_rate: float, steps: int) -> None:
        self.muon = Muon(parameters)
        self.peaks, self.steps, self.taken = (learning_rate, learning_rate / 5), steps, 0

    def zero_grad(self) -> None:
        self.muon.zero_grad()

    def step(self) -> None:
        nn.utils.clip_grad_norm_(self.muon.parameters, CLIP, foreach=True)
        self.muon.step(*(one_cycle(self.taken, self.steps, peak) for peak in self.peaks))
        self.taken += 1

    def state_dict(self) -> dict[str, Any]:
        return {"muon": self.muon.state_dict(), "taken": self.taken}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.muon.load_state_dict(state["muon"])
        self.taken = state["taken"]


def one_cycle(step: int, steps: int, peak: float) -> float:
    """The learning rate of a ``step``, from 0: up to the ``peak`` in three tenths of all, and down to almost nothing.

    Smith & Topin, "Super-convergence", 2017, by cosines, as torch's OneCycleLR has it.
    """
    start, end = peak / 25, peak / 25 / 1e4
    top, last = 0.3 * steps - 1, steps - 1
    if step <= top:
        return peak + (start - peak) / 2.0 * (math.cos(math.pi * (step / top)) + 1)
    return end + (peak - end) / 2.0 * (math.cos(math.pi * ((step - top) / (last - top))) + 1)


def _keep_memory() -> None:
    """Makes this process keep the memory that tensors free, for the next step's: getting it anew costs page faults.

    mallopt(3): no tensor has pages of its own, and none go back from the end of the heap.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):  # musl has none
        trim_threshold, mmap_max = -1, -4
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, 2**31 - 1)
