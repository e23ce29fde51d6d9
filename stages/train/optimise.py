"""The optimisation loop that all networks share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from stages.tables.room import progress

Config = TypeVar("Config")


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn; none of it is in the poster."""

    epochs: int
    batch: int
    learning_rate: float  # the peak of a one-cycle schedule
    weight_decay: float
    clip: float = 1.0  # largest norm of the gradient


def configured(config: Callable[..., Config], section: dict[str, Any]) -> Config:
    """A model's ``Config`` from its section of params.yaml."""
    schedule = {"schedule": Schedule(**section["schedule"])} if "schedule" in section else {}
    return config(**section | schedule)


def optimise(
    parameters: Iterable[nn.Parameter],
    loss: Callable[[Tensor], Tensor],
    count: int,
    schedule: Schedule,
    label: str,
) -> list[float]:
    """Minimises ``loss`` over ``count`` sequences, each seen once an epoch; returns the mean loss of every epoch.

    ``loss`` takes the positions of a batch (int64, on the CPU) and gives its mean loss. AdamW with a one-cycle
    learning rate; the last epoch is kept, so nothing is ever chosen by looking at a test subject. Random choices come
    from torch's global generator, which the caller has seeded.
    """
    parameters = list(parameters)
    optimiser = torch.optim.AdamW(parameters, weight_decay=schedule.weight_decay)
    batches = max(count // schedule.batch, 1)
    steps = schedule.epochs * batches
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, schedule.learning_rate, total_steps=steps)
    history = []
    for _ in progress(range(schedule.epochs), label, schedule.epochs):
        total = 0.0
        # What would be a last, smaller batch waits for the next shuffle: batch normalisation dislikes tiny batches.
        for batch in torch.randperm(count)[: batches * schedule.batch].split(schedule.batch):
            optimiser.zero_grad(set_to_none=True)
            value = loss(batch)
            value.backward()
            nn.utils.clip_grad_norm_(parameters, schedule.clip)
            optimiser.step()
            cycle.step()
            total += value.item()
        history.append(total / batches)
    return history
