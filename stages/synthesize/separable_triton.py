"""The local separable convolution of separable.py as a Triton kernel, for inference on a GPU.

Triton comes with torch's CUDA builds and is no dependency of this project: separable.py imports this file only where
frames are on a GPU.

How it gets its speed: one program makes a tile of LINES by COLUMNS output pixels in all channels, one pixel a thread,
so that a warp loads neighbours. A thread keeps TAPS of its horizontal coefficients in registers while it goes down the
rows of its window: horizontal coefficients are read once for all channels, vertical ones once for every TAPS, from the
first-level cache. The sizes are not specialised for the values they have: Triton would then lay pixels out differently
where a width is a multiple of 16, for wider loads, and exchange sums between threads in the innermost loop.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

LINES, COLUMNS = tl.constexpr(4), tl.constexpr(32)
"""Output lines and columns of a program: a thread a pixel, a warp a line."""
TAPS = tl.constexpr(8)
"""Horizontal coefficients in registers at a time, with as many pixels of every channel."""


def filter_triton(image: torch.Tensor, vertical: torch.Tensor, horizontal: torch.Tensor) -> torch.Tensor:
    """The operator on a GPU, float32, without gradients.

    image (batch, channels, height + taps - 1, width + taps - 1), vertical and horizontal (batch, taps, height,
    width) -> (batch, channels, height, width). Raises ValueError when the shapes do not fit, or when the filters of
    one image are more than 2**31 numbers, which is further than the kernel counts.
    """
    image, vertical, horizontal = (part.float().contiguous() for part in (image, vertical, horizontal))
    batch, channels = image.shape[:2]
    taps, height, width = vertical.shape[1:]
    fits = image.shape == (batch, channels, height + taps - 1, width + taps - 1)
    if not fits or horizontal.shape != vertical.shape or len(vertical) != batch or vertical[0].numel() >= 2**31:
        raise ValueError(
            f"shapes do not fit: image {tuple(image.shape)}, filters {tuple(vertical.shape)} and"
            f" {tuple(horizontal.shape)}"
        )
    out = image.new_empty(batch, channels, height, width)
    grid = (triton.cdiv(width, COLUMNS.value), triton.cdiv(height, LINES.value), batch)
    padded = triton.next_power_of_2(channels)
    _kernel[grid](image, vertical, horizontal, out, channels, taps, height, width, padded, num_warps=LINES.value)
    return out


@triton.jit(do_not_specialize=["channels", "taps", "height", "width"])
def _kernel(image, vertical, horizontal, out, channels, taps, height, width, CHANNELS: tl.constexpr):  # type: ignore[no-untyped-def]
    wide, across, down = width + taps - 1, height * width, (height + taps - 1) * (width + taps - 1)
    number = tl.program_id(2).to(tl.int64)  # a batch may have more than 2**31 coefficients
    # Axes are channel, tap, pixel. Threads lie along the last one, so that a sum over taps stays within a thread.
    channel = tl.arange(0, CHANNELS)[:, None, None]
    tap = tl.arange(0, TAPS)[None, :, None]
    pixel = tl.arange(0, LINES * COLUMNS)[None, None, :]
    y, x = tl.program_id(1) * LINES + pixel // COLUMNS, tl.program_id(0) * COLUMNS + pixel % COLUMNS
    inside = (y < height) & (x < width)
    corner = image + number * channels * down + channel * down + (y * wide + x)
    vertical += number * taps * across + (y * width + x)
    horizontal += number * taps * across + (y * width + x)
    total = tl.zeros((CHANNELS, 1, LINES * COLUMNS), tl.float32)
    for first in range(0, taps, TAPS):
        known = inside & (first + tap < taps)
        filters = tl.load(horizontal + (first + tap) * across, known, 0.0)
        for row in range(taps):
            seen = tl.load(corner + row * wide + first + tap, known & (channel < channels), 0.0)
            weight = tl.load(vertical + row * across, inside, 0.0)
            total += weight * tl.sum(seen * filters, 1, keep_dims=True)
    place = out + (number * channels + channel) * across + (y * width + x)
    tl.store(place, total, inside & (channel < channels))
