"""LMF-FER learns from a stream of actors, a batch of new people at every step."""

from __future__ import annotations

import torch
from torch import Tensor

from stages.pretrain.params import Pretrain
from stages.simulate.actors import errors, people, stream
from stages.simulate.assets import load
from stages.simulate.params import Variety
from stages.tables.methods import LMF_FER
from stages.train import lmf
from stages.train.optimise import Trainer

FIRST = 10**9
"""The number of the first actor. Rendered people have lower ones: with the same seed, they would be drawn alike."""


class Batches:
    """The actors as batches, of which never more than a chunk exists.

    A batch is known by its step alone: neither the size of a ``chunk``, in actors, nor where a training starts again
    changes it. What does not fill the last batch of an epoch is left out.
    """

    def __init__(self, settings: Pretrain, variety: Variety, chunk: int = stream.CHUNK) -> None:
        self.settings, self.variety, self.size = settings, variety, settings.lmf.schedule.batch
        self.steps = settings.people // self.size  # of an epoch
        self.model, self.errors = people.reduced(load()), errors.load()
        self._together, self._first = max(chunk // self.size, 1), -1

    def __call__(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """The batch of a step, from 0: landmarks (batch, longest, 68, 2), px, their frames and emotions, from 0."""
        step %= self.steps
        first = step - step % self._together
        if first != self._first:
            last = min(first + self._together, self.steps)
            numbers = range(FIRST + first * self.size, FIRST + last * self.size)
            self._tracks = stream.tracks(
                self.model, self.errors, self.variety, self.settings.frames, self.settings.seed, numbers
            )
            self._first = first
        rows = slice((step - first) * self.size, (step - first + 1) * self.size)
        points, frames, emotion = self._tracks.points[rows], self._tracks.frames[rows], self._tracks.emotion[rows]
        return torch.from_numpy(points), torch.from_numpy(frames), torch.from_numpy(emotion).long() - 1


def learn(settings: Pretrain, batches: Batches, trainer: Trainer) -> lmf.LmfFer:
    """Trains a new network. To the trainer each step is an epoch, so that a killed training goes on at its step."""
    config = settings.lmf
    network = lmf.LmfFer(config, config.width.of(settings.profile)).to(trainer.device).train()

    def loss(order: Tensor) -> Tensor:
        step = len(trainer.history[LMF_FER])
        points, frames, truth = (part.to(trainer.device)[order] for part in batches(step))
        return lmf.loss(network, points, frames, truth, config)

    schedule = config.schedule.model_copy(update={"epochs": config.schedule.epochs * batches.steps})
    trainer.minimise(LMF_FER, network, network.parameters(), loss, batches.size, schedule)
    return network
