"""An optimiser for small networks on a CPU, which several rooms train with."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

STEPS = 5
"""Of Newton and Schulz."""


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
            alike: dict[torch.Size, list[nn.Parameter]] = {}
            for weight in group["params"]:
                alike.setdefault(weight.shape, []).append(weight)
            for weights in alike.values():  # together, since most of a small product is the call
                gradient = torch.stack([weight.grad.flatten(1) for weight in weights if weight.grad is not None])
                mean = self.state[weights[0]].setdefault("mean", torch.zeros_like(gradient))
                mean.lerp_(gradient, 1 - group["momentum"])
                steps = _orthogonal(gradient.lerp(mean, group["momentum"]))  # Nesterov's look ahead
                stretch = max(1.0, gradient.shape[1] / gradient.shape[2]) ** 0.5
                for weight, step in zip(weights, steps, strict=True):
                    weight.add_(step.view_as(weight), alpha=-group["lr"] * stretch)


def _orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """About the nearest orthogonal matrices to (count, rows, columns): five Newton-Schulz steps, Jordan's coefficients.

    A step is X <- p(XX')X. All p(XX') are polynomials of the first XX', so they are multiplied with one another, at the
    size of the shorter side, and with X once: half of the work for a layer of this project, a third for VGG16's.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-12)
    gram, product = x @ x.mT, None
    for step in range(STEPS):
        factor = torch.baddbmm(gram, gram, gram, beta=-4.7750, alpha=2.0315)
        factor.diagonal(dim1=1, dim2=2).add_(3.4445)
        product = factor if product is None else factor @ product
        if step < STEPS - 1:
            gram = factor @ gram @ factor
    x = product @ x
    return x.mT if tall else x
