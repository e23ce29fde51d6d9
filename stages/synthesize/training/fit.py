"""Fits SepConv in minutes: the paper's L1 loss, and four things that make so few steps enough (all ours).

* The network starts as a block matcher: its first layer compares the frames at opposite shifts, all other layers
  pass on what they get (Dirac filters) with some random mixing, and the heads answer "average the two frames".
* It sees local contrast instead of brightness (``Size.contrast``), so that shading does not scale the comparison.
* The motion of the triplets is known, and with it the filters of a cubic interpolation. Early in training the heads
  are also drawn towards those; the weight of this term falls to 0.
* The optimiser is Muon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np
import torch
from torch import nn

from stages.synthesize.separable import filter_local
from stages.synthesize.sepconv import Config, SepConv
from stages.synthesize.training.params import Sepconv
from stages.synthesize.training.warps import Triplets, triplets
from stages.tables.muon import Muon

SHIFTS = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1), (0, 0))
"""The shifts, in px down and right, at which the first layer compares the frames; two channels each."""
SHARE = 0.5**0.5
"""The vertical and the horizontal filter of a frame each sum to this: the product is half of the output."""


def fit(
    faces: Sequence[np.ndarray], options: Sepconv, track: Callable[[Iterable[int]], Iterable[int]] = iter
) -> tuple[SepConv, float, float]:
    """Trains a grey network on uint8 ``faces`` (height, width).

    Returns it with its mean absolute error over the last tenth of the steps, and the plain average's on the same
    triplets, both in grey levels. The same on every run with one torch thread. ``track`` may show progress.
    """
    torch.manual_seed(options.seed)
    generator, schedule = np.random.default_rng(options.seed), options.schedule
    reach = options.network.taps // 2
    network = SepConv(Config(channels=1, **options.network.model_dump()))
    draw = partial(triplets, faces, options.warps, reach, schedule.batch, generator)
    prepare(network, *_inner(draw(), reach))
    optimiser, peaks = Muon(network.parameters()), (schedule.learning_rate, schedule.learning_rate / 8)
    errors = []
    for step in track(range(schedule.steps)):
        batch = draw()
        first, last = _inner(batch, reach)
        filters = network(first, last)
        outer = torch.from_numpy(batch.first), torch.from_numpy(batch.last)
        made = filter_local(outer[0], *filters[:2]) + filter_local(outer[1], *filters[2:])
        middle = torch.from_numpy(batch.middle)
        loss = error = (made - middle).abs().mean()
        weight = schedule.guidance * (1 - step / schedule.steps)
        if weight:
            loss = error + weight * distance(filters, torch.from_numpy(batch.motion))
        network.zero_grad()
        loss.backward()
        optimiser.step(*(peak * _rate(step, schedule.steps) for peak in peaks))
        errors.append((error.item(), ((first + last) / 2 - middle).abs().mean().item()))
    own, average = 255 * np.mean(errors[-max(1, schedule.steps // 10) :], axis=0)
    return network.eval(), float(own), float(average)


def _inner(batch: Triplets, reach: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What the network sees of the outer frames: the part that the middle shows."""
    inside = slice(reach, -reach or None)
    return torch.from_numpy(batch.first[..., inside, inside]), torch.from_numpy(batch.last[..., inside, inside])


def _rate(step: int, steps: int) -> float:
    return min(1.0, 20 * step / steps) * (1 - step / steps)


def prepare(network: SepConv, first: torch.Tensor, last: torch.Tensor) -> None:
    """Sets the starting weights described above, each layer scaled to a standard deviation of 1 on a batch."""
    heads = [
        network.moduleVertical1[-1], network.moduleHorizontal1[-1], network.moduleVertical2[-1],
        network.moduleHorizontal2[-1],
    ]  # fmt: skip
    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        layer.bias.data.zero_()  # type: ignore[union-attr]
        if layer in heads:
            layer.weight.data *= 0.01
            layer.bias.data[network.config.taps // 2] = SHARE  # type: ignore[union-attr]
        elif layer is not layers[0]:
            random = 0.3 * layer.weight.data
            nn.init.dirac_(layer.weight)
            layer.weight.data += random
    comparisons = layers[0].weight.data
    comparisons *= 0.3
    comparisons -= comparisons.mean((1, 2, 3), keepdim=True)
    channels = network.config.channels
    for place in range(min(len(comparisons), 2 * len(SHIFTS))):
        (down, right), sign = SHIFTS[place // 2], 1 - 2 * (place % 2)
        comparisons[place, :channels, 1 + down, 1 + right] += sign
        comparisons[place, channels:, 1 - down, 1 - right] -= sign
    for layer in layers:
        if layer not in heads:
            _normalise(network, layer, first, last)


@torch.no_grad()
def _normalise(network: SepConv, layer: nn.Conv2d, first: torch.Tensor, last: torch.Tensor) -> None:
    def scale(_: nn.Module, __: object, output: torch.Tensor) -> None:
        layer.weight.data /= output.std() + 1e-6

    hook = layer.register_forward_hook(scale)
    network(first, last)
    hook.remove()


def distance(filters: tuple[torch.Tensor, ...], motion: torch.Tensor) -> torch.Tensor:
    """Mean over pixels of the absolute difference to the filters of cubic interpolation (Keys 1981, a = -0.6).

    Four filters of (batch, taps, height, width), in the network's order, and the motion (batch, 2, height, width).
    """
    taps = filters[0].shape[1]
    place = (torch.arange(taps) - taps // 2).float()[:, None, None]
    horizontal, vertical = motion[:, :1], motion[:, 1:]
    wanted = (_cubic(place - shift) for shift in (vertical, horizontal, -vertical, -horizontal))
    parts = [(own - SHARE * want).abs().sum(1).mean() for own, want in zip(filters, wanted, strict=True)]
    return torch.stack(parts).sum()


def _cubic(distance: torch.Tensor, a: float = -0.6) -> torch.Tensor:
    d = distance.abs()
    near, far = (a + 2) * d**3 - (a + 3) * d**2 + 1, a * (d**3 - 5 * d**2 + 8 * d - 4)
    return torch.where(d < 1, near, torch.where(d < 2, far, 0.0))
