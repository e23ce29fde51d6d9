"""SepConv: video frame interpolation by adaptive separable convolution, the poster's interpolator.

Niklaus, Mai, Liu, "Video Frame Interpolation via Adaptive Separable Convolution", ICCV 2017, figure 2. A U-shaped
network looks at two frames and answers with four filters per pixel; the frame in between is the first frame filtered
with the first pair plus the second frame filtered with the second pair. Of the size PUBLISHED, the modules have the
names, shapes and count (94 tensors, 21,675,452 parameters) of the weights that the authors published.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from stages.synthesize.separable import filter_local
from stages.synthesize.size import Size

LEVELS = 5
"""Times the frame is halved: sides must be multiples of 2**LEVELS."""
FLOOR = 4 / 255
"""A local contrast below this is noise and is not raised to 1 (``Size.contrast``)."""


class Config(Size):
    channels: Annotated[int, Field(ge=1, le=3)]  # of each input frame: 3 is blue, green, red; 1 is grey


PUBLISHED = Config(channels=3, width=32, widest=512, taps=51, contrast=0)
"""The size of the published model."""


def convolutions(*channels: int) -> list[nn.Module]:
    """3x3 convolutions, each followed by a ReLU, from one channel count to the next."""
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
    return layers


def double() -> nn.Module:
    return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)


class SepConv(nn.Module):
    """The network: two frames in, four filters per pixel out."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        first, second, third, fourth, fifth = (min(config.width * 2**n, config.widest) for n in range(LEVELS))
        self.moduleConv1 = nn.Sequential(*convolutions(2 * config.channels, first, first, first))
        self.moduleConv2 = nn.Sequential(*convolutions(first, second, second, second))
        self.moduleConv3 = nn.Sequential(*convolutions(second, third, third, third))
        self.moduleConv4 = nn.Sequential(*convolutions(third, fourth, fourth, fourth))
        self.moduleConv5 = nn.Sequential(*convolutions(fourth, fifth, fifth, fifth))
        self.moduleDeconv5 = nn.Sequential(*convolutions(fifth, fifth, fifth, fifth))
        self.moduleDeconv4 = nn.Sequential(*convolutions(fifth, fourth, fourth, fourth))
        self.moduleDeconv3 = nn.Sequential(*convolutions(fourth, third, third, third))
        self.moduleDeconv2 = nn.Sequential(*convolutions(third, second, second, second))
        self.moduleUpsample5 = nn.Sequential(double(), *convolutions(fifth, fifth))
        self.moduleUpsample4 = nn.Sequential(double(), *convolutions(fourth, fourth))
        self.moduleUpsample3 = nn.Sequential(double(), *convolutions(third, third))
        self.moduleUpsample2 = nn.Sequential(double(), *convolutions(second, second))
        self.moduleVertical1, self.moduleVertical2, self.moduleHorizontal1, self.moduleHorizontal2 = (
            nn.Sequential(
                *convolutions(second, second, second, config.taps),
                double(),
                nn.Conv2d(config.taps, config.taps, 3, padding=1),
            )
            for _ in range(4)
        )

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The vertical and horizontal filters of the first frame, then those of the second.

        Takes (batch, channels, height, width) in 0..1 twice, sides multiples of 32; returns four of (batch, taps,
        height, width).
        """
        level1 = self.moduleConv1(torch.cat([self._seen(first), self._seen(second)], 1))
        level2 = self.moduleConv2(functional.avg_pool2d(level1, 2))
        level3 = self.moduleConv3(functional.avg_pool2d(level2, 2))
        level4 = self.moduleConv4(functional.avg_pool2d(level3, 2))
        level5 = self.moduleConv5(functional.avg_pool2d(level4, 2))
        up5 = self.moduleUpsample5(self.moduleDeconv5(functional.avg_pool2d(level5, 2))) + level5
        up4 = self.moduleUpsample4(self.moduleDeconv4(up5)) + level4
        up3 = self.moduleUpsample3(self.moduleDeconv3(up4)) + level3
        up2 = self.moduleUpsample2(self.moduleDeconv2(up3)) + level2
        return (
            self.moduleVertical1(up2),
            self.moduleHorizontal1(up2),
            self.moduleVertical2(up2),
            self.moduleHorizontal2(up2),
        )

    def _seen(self, frame: torch.Tensor) -> torch.Tensor:
        """What the network sees of a frame: the frame, or its local contrast. The filters always act on the frame."""
        if not self.config.contrast:
            return frame
        centred = frame - self._local_mean(frame)
        return centred * (self._local_mean(centred**2) + FLOOR**2).rsqrt()

    def _local_mean(self, image: torch.Tensor) -> torch.Tensor:
        side = self.config.contrast
        for window, margin in (((1, side), (0, side // 2)), ((side, 1), (side // 2, 0))):
            image = functional.avg_pool2d(image, window, stride=1, padding=margin, count_include_pad=False)
        return image


class Learned:
    """SepConv as an interpolator of grey frames, on the device where its network is."""

    def __init__(self, network: SepConv) -> None:
        # Sums are rounded differently with more threads: with one, the result does not depend on the machine's cores.
        torch.set_num_threads(1)
        self.network = network
        # The processor gains nothing from a batch, and the filters of one pair are 100 times as large as its frames.
        self.batch = 1 if next(network.parameters()).device.type == "cpu" else 8

    def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        starts = range(0, len(first), self.batch)
        return np.concatenate(
            [midpoints(self.network, *(part[n : n + self.batch] for part in (first, second))) for n in starts]
        )


@torch.inference_mode()
def midpoints(network: SepConv, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The frames half-way between pairs of frames.

    uint8 (pairs, height, width), or (pairs, height, width, 3) in red, green, blue, twice -> uint8 of the same shape.
    Any height and width: frames are continued beyond their border by its own values, as the authors do.
    """
    colour = first.ndim == 4
    height, width = first.shape[1:3]
    device = next(network.parameters()).device
    reach, unit = network.config.taps // 2, 2**LEVELS
    right, below = (reach + -(side + 2 * reach) % unit for side in (width, height))

    def prepare(frames: np.ndarray) -> torch.Tensor:
        planes = frames[..., ::-1].transpose(0, 3, 1, 2) if colour else frames[:, None]  # to blue, green, red
        tensor = torch.from_numpy(np.ascontiguousarray(planes)).to(device).float() / 255
        return functional.pad(tensor, (reach, right, reach, below), mode="replicate")

    def seen(frames: torch.Tensor) -> torch.Tensor:
        if network.config.channels == 1 and colour:
            return frames.mean(1, keepdim=True)
        return frames.expand(-1, network.config.channels, -1, -1)

    frames = prepare(first), prepare(second)
    filters = [
        part[..., reach : reach + height, reach : reach + width] for part in network(seen(frames[0]), seen(frames[1]))
    ]
    between = torch.zeros(())
    for frame, vertical, horizontal in zip(frames, filters[::2], filters[1::2], strict=True):
        near = frame[..., : height + 2 * reach, : width + 2 * reach]
        between = between + filter_local(near, vertical, horizontal)
    made = (between.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    return np.ascontiguousarray(made.transpose(0, 2, 3, 1)[..., ::-1]) if colour else made[:, 0]
