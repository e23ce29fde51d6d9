"""An optimiser for small networks on a CPU, which several rooms train with."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

STEPS = 5
"""Of Newton and Schulz."""
WIDEST = 64
"""The shorter side of a matrix that is made orthogonal as a whole."""
TILE = 32, 512
"""Matrices with as many tiles to their shorter and longer side are worked on together."""


class Muon(torch.optim.Optimizer):
    """Momentum whose every step is made orthogonal, so that no direction of a layer outruns the others.

    Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024. For weights of two dimensions or
    more. Torch's own takes matrices only, one at a time, and works in bfloat16, which a processor without it computes
    eight times slower.
    """

    def __init__(self, weights: Iterable[nn.Parameter], lr: float, momentum: float = 0.9) -> None:
        super().__init__(weights, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            alike: dict[tuple[int, ...], list[nn.Parameter]] = {}
            for weight in group["params"]:
                if weight.grad is not None:
                    tiles = tuple(-(-side // tile) for side, tile in zip(_sides(weight), TILE, strict=True))
                    alike.setdefault(tiles, []).append(weight)
            for weights in alike.values():
                pieces = [_pieces(weight.grad) for weight in weights]  # type: ignore[arg-type]
                gradient = _packed(pieces)
                state = self.state[weights[0]]
                if not state:
                    state["mean"] = torch.zeros_like(gradient)
                state["mean"].lerp_(gradient, 1 - group["momentum"])
                steps = _orthogonal(gradient.lerp_(state["mean"], group["momentum"]))  # Nesterov's look ahead
                for weight, piece, step in zip(weights, pieces, steps.split([*map(len, pieces)]), strict=True):
                    rows, columns = len(weight), weight.numel() // len(weight)
                    wide = step[:, : piece.shape[1], : piece.shape[2]].reshape(min(rows, columns), -1)
                    change = (wide.mT if rows > columns else wide).reshape(weight.shape)
                    weight.add_(change, alpha=-group["lr"] * max(1.0, rows / columns) ** 0.5)


def _sides(weight: torch.Tensor) -> tuple[int, int]:
    """The shorter and the longer side of the matrices in a weight.

    There is one, unless its shorter side is a multiple of WIDEST: then it is cut, for an eighth of the work a piece.
    """
    short, long = sorted((len(weight), weight.numel() // len(weight)))
    return WIDEST if short % WIDEST == 0 else short, long


def _pieces(weight: torch.Tensor) -> torch.Tensor:
    """A weight as matrices (count, shorter side, longer side)."""
    matrix = weight.flatten(1)
    return (matrix.mT if matrix.shape[0] > matrix.shape[1] else matrix).reshape(-1, *_sides(weight))


def _packed(matrices: list[torch.Tensor]) -> torch.Tensor:
    """All (count, rows, columns) in one, with zeros behind the smaller ones: most of a small product is the call."""
    rows, columns = (max(one.shape[axis] for one in matrices) for axis in (1, 2))
    packed = matrices[0].new_zeros(sum(map(len, matrices)), rows, columns)
    for one, place in zip(matrices, packed.split([*map(len, matrices)]), strict=True):
        place[:, : one.shape[1], : one.shape[2]] = one
    return packed


def _orthogonal(x: torch.Tensor) -> torch.Tensor:
    """About the nearest orthogonal matrices to (count, shorter side, longer side), by Newton-Schulz steps.

    A step is X <- p(XX')X, with Jordan's coefficients. All p(XX') are polynomials of the first XX', so they are
    multiplied with one another, at the size of the shorter side, and with X once: half of the work for a layer of this
    project, a third for VGG16's. Rows and columns of zeros stay zero and change nothing.
    """
    gram, product = torch.bmm(x, x.mT), None
    square = gram.diagonal(dim1=1, dim2=2).sum(dim=1)[:, None, None] + 1e-24  # of the norm of X, which is to be 1
    gram /= square
    for step in range(STEPS):
        factor = torch.baddbmm(gram, gram, gram, beta=-4.7750, alpha=2.0315)
        factor.diagonal(dim1=1, dim2=2).add_(3.4445)
        product = factor if product is None else torch.bmm(factor, product)
        if step < STEPS - 1:
            gram = torch.bmm(torch.bmm(factor, gram), factor)
    assert product is not None
    return torch.bmm(product / square.sqrt(), x)
