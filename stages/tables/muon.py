"""An optimiser for small networks on a CPU, which several rooms train with."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn


class Muon(torch.optim.Optimizer):
    """Momentum whose every step is made orthogonal, so that no direction of a layer outruns the others.

    Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024. For weights of two dimensions or
    more. Torch's own takes matrices only and works in bfloat16, which a processor without it computes eight times
    slower.
    """

    def __init__(self, weights: Iterable[nn.Parameter], lr: float, momentum: float = 0.9) -> None:
        super().__init__(weights, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weight in group["params"]:
                mean = self.state[weight].setdefault("mean", torch.zeros_like(weight))
                mean.lerp_(weight.grad, 1 - group["momentum"])
                matrix = weight.grad.lerp(mean, group["momentum"]).flatten(1)  # Nesterov's look ahead
                stretch = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
                weight.add_(_orthogonal(matrix).view_as(weight), alpha=-group["lr"] * stretch)


def _orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """About the nearest orthogonal matrix: five Newton-Schulz iterations with Jordan's coefficients."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix) / (matrix.norm() + 1e-12)
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.T if tall else x
