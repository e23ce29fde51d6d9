"""An optimiser for small networks on a CPU, which several stages train with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

STEPS = 5
"""Of Newton and Schulz."""
WIDEST = 32
"""The shorter side of a matrix that is made orthogonal as a whole."""
TILE = 32, 512
"""Matrices with as many tiles to their shorter and longer side are worked on together."""


class Muon:
    """Momentum whose every step is made orthogonal, so that no direction of a layer outruns the others.

    Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024. So learn weights of two dimensions
    or more; biases and normalisations learn by Adam (Kingma & Ba, ICLR 2015). Torch's own Muon takes matrices only, one
    at a time, and works in bfloat16, which a processor without it computes eight times slower; and whatever is one of
    torch's optimisers loads its compiler, which takes longer than a fold of a small network needs to start.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], momentum: float = 0.9) -> None:
        self.parameters, self.momentum = list(parameters), momentum
        self.packs = _packs([weight for weight in self.parameters if weight.ndim > 1])
        self.biases = [bias for bias in self.parameters if bias.ndim < 2]
        self.means, self.squares = ([torch.zeros_like(bias) for bias in self.biases] for _ in range(2))
        self.steps = [torch.zeros((), device=bias.device) for bias in self.biases]

    @torch.no_grad()
    def step(self, rate: float, adam_rate: float) -> None:
        """Goes on by the gradients, which all parameters must have; the second rate is that of Adam."""
        for pack in self.packs:
            torch._foreach_copy_(pack.gradients, [_gradient(weight) for weight in pack.weights])
            pack.mean.lerp_(pack.gradient, 1 - self.momentum)
            pack.gradient.lerp_(pack.mean, self.momentum)  # Nesterov's look ahead
            _orthogonal(pack.gradient, pack.stretch, pack.step)
            torch._foreach_add_([*pack.weights], pack.steps, alpha=-rate)
        if self.biases:
            torch._foreach_add_(self.steps, 1)
            torch._fused_adam_(
                [*self.biases], [_gradient(bias) for bias in self.biases], self.means, self.squares, [], self.steps,
                lr=adam_rate, beta1=0.9, beta2=0.999, weight_decay=0, eps=1e-8, amsgrad=False, maximize=False,
            )  # fmt: skip

    def zero_grad(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        return {"packs": [pack.mean for pack in self.packs], "means": self.means, "squares": self.squares,
                "steps": self.steps}  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for own, stored in zip(self.state_dict().values(), state.values(), strict=True):
            for mine, value in zip(own, stored, strict=True):
                mine.copy_(value)


class _Pack:
    """Weights whose matrices lie in one array, with zeros behind the smaller ones, since calls cost more than zeros.

    Matrices lie on their longer side. There is one to a weight, unless its shorter side is a multiple of WIDEST: then
    it is cut, for an eighth of the work a piece. ``gradients`` and ``steps`` are the places in ``gradient`` and
    ``step`` (count, rows, columns), in the shapes of ``weights``; all weights must have gradients.
    """

    def __init__(self, weights: list[nn.Parameter]) -> None:
        self.weights = weights
        sides = [_sides(weight) for weight in weights]
        counts = [weight.numel() // (short * long) for weight, (short, long) in zip(weights, sides, strict=True)]
        rows, columns = (max(side[axis] for side in sides) for axis in (0, 1))
        self.gradient, self.step = weights[0].new_zeros(2, sum(counts), rows, columns)
        self.mean = torch.zeros_like(self.gradient)
        self.gradients, self.steps = (
            [_shaped(part[:, :short, :long], weight) for part, (short, long), weight in
             zip(array.split(counts), sides, weights, strict=True)]
            for array in (self.gradient, self.step)
        )  # fmt: skip
        high = [max(1.0, len(weight) ** 2 / weight.numel()) ** 0.5 for weight in weights]
        self.stretch = self.step.new_tensor(high).repeat_interleave(self.step.new_tensor(counts).long())[:, None, None]


def _packs(weights: list[nn.Parameter]) -> list[_Pack]:
    alike: dict[tuple[int, ...], list[nn.Parameter]] = {}
    for weight in weights:
        tiles = tuple(-(-side // tile) for side, tile in zip(_sides(weight), TILE, strict=True))
        alike.setdefault(tiles, []).append(weight)
    return [_Pack(some) for some in alike.values()]


def _gradient(weight: nn.Parameter) -> torch.Tensor:
    assert weight.grad is not None
    return weight.grad


def _sides(weight: torch.Tensor) -> tuple[int, int]:
    """The shorter and the longer side of a weight's matrices."""
    short, long = sorted((len(weight), weight.numel() // len(weight)))
    return WIDEST if short % WIDEST == 0 else short, long


def _shaped(pieces: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The same memory as matrices (count, shorter side, longer side) and in the shape of their weight."""
    matrix = pieces.view(-1, pieces.shape[2])
    return (matrix.mT if len(weight) > weight[0].numel() else matrix).unflatten(1, weight.shape[1:])


def _orthogonal(x: torch.Tensor, stretch: torch.Tensor, out: torch.Tensor) -> None:
    """About the nearest orthogonal matrices to (count, shorter side, longer side), times ``stretch``.

    A step of Newton and Schulz is X <- p(XX')X, with Jordan's coefficients. All p(XX') are polynomials of the first
    XX', so they are multiplied with one another, at the size of the shorter side, and with X once: half of the work for
    a layer of this project, a third for VGG16's. Rows and columns of zeros stay zero and change nothing.
    """
    gram, product = _product(x, x.mT), None
    square = gram.diagonal(dim1=1, dim2=2).sum(dim=1)[:, None, None] + 1e-24  # of the norm of X, which is to be 1
    gram /= square
    for step in range(STEPS):
        factor = _product(gram, gram).mul_(2.0315).sub_(gram, alpha=4.7750)
        factor.diagonal(dim1=1, dim2=2).add_(3.4445)
        product = factor if product is None else _product(factor, product)
        if step < STEPS - 1:
            gram = _product(_product(factor, gram), factor)
    assert product is not None
    _product(product * (stretch * square.rsqrt()), x, out)


def _product(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
    """a @ b of matrices (count, ..., ...), float32, in ``out``, if any.

    On a processor NumPy's, which is as fast on all of them alike; torch's has to give up half of its speed for that.
    """
    if a.is_cuda:
        return torch.bmm(a, b, out=out)
    return torch.from_numpy(np.matmul(a.numpy(), b.numpy(), out=None if out is None else out.numpy()))
