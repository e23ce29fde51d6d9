"""Local separable convolution: every output pixel has its own vertical and horizontal filter.

    out(c, y, x) = sum_i sum_j vertical(i, y, x) * horizontal(j, y, x) * image(c, y + i, x + j)

(Niklaus, Mai, Liu, "Video Frame Interpolation via Adaptive Separable Convolution", ICCV 2017, equation 2.) Three forms,
of which ``filter_local`` chooses: ``filter_torch`` is plain torch, differentiable, and runs wherever torch does;
``filter_cpu`` is for inference on a processor, and ``filter_triton``, in a file of its own, on a GPU.

How the processor form gets its speed: written naively, each multiply-add needs two loads, of a coefficient and of a
pixel. ``_tile`` keeps a block of ROWS input rows by LINES output lines by LANES neighbouring columns in registers,
so that ROWS + LINES loads feed ROWS * LINES vector multiply-adds. The coefficients of the block are first copied
together: in their own layout (taps, height, width) those of one pixel lie height * width floats apart.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np
import torch
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 16 if binding.get_host_cpu_features().get("avx512f") else 8
"""Neighbouring columns in one vector register: 8 floats of AVX2, 16 of AVX-512."""
LINES, ROWS = 2, 6
"""Output lines and input rows whose sums are in registers: 12 sums, 2 coefficients and a pixel in AVX2's 16."""
BLOCKS = 16
"""Vectors of columns that are prepared together: their coefficients should fit in the second-level cache."""


def filter_local(image: torch.Tensor, vertical: torch.Tensor, horizontal: torch.Tensor) -> torch.Tensor:
    """The operator in the fastest form for these tensors: shapes as in ``filter_torch``, all on one device.

    Differentiable where an input requires a gradient; otherwise the result is float32.
    """
    parts = image, vertical, horizontal
    if torch.is_grad_enabled() and any(part.requires_grad for part in parts):
        return filter_torch(*parts)
    if image.device.type == "cpu":
        each = zip(*(part.numpy() for part in parts), strict=True)
        return torch.from_numpy(np.stack([filter_cpu(*one) for one in each]))
    return gpu_form(image.device)(*parts)


@cache
def gpu_form(device: torch.device) -> Callable[..., torch.Tensor]:
    """``filter_triton`` where Triton is installed and works on ``device``, ``filter_torch`` elsewhere.

    Triton compiles with the machine's C compiler and not for every GPU: one pixel is filtered to know.
    """
    try:
        from stages.synthesize.separable_triton import filter_triton

        filter_triton(*(torch.ones(1, 1, 1, 1, device=device) for _ in range(3)))
    except ImportError:
        return filter_torch
    except Exception as error:  # whatever compilers and drivers say
        warnings.warn(f"Triton does not work here ({error!r:.200}), so SepConv's filters take longer", stacklevel=2)
        return filter_torch
    return filter_triton


def filter_torch(image: torch.Tensor, vertical: torch.Tensor, horizontal: torch.Tensor) -> torch.Tensor:
    """The operator in plain torch: differentiable in all three, on any device.

    image (batch, channels, height + taps - 1, width + taps - 1), vertical and horizontal (batch, taps, height,
    width) -> (batch, channels, height, width). A sum over whole shifted planes: about ten times faster than a loop
    over rows that unfolds the other axis, because every operand is contiguous along x.
    """
    height, width = vertical.shape[2:]
    columns = horizontal.contiguous().unsqueeze(2).unbind(1)
    out = torch.zeros_like(image[..., :height, :width])
    for i, weight in enumerate(vertical.contiguous().unsqueeze(2).unbind(1)):
        row = image[..., i : i + height, :]
        filtered = columns[0] * row[..., :width]
        for j in range(1, len(columns)):
            filtered = torch.addcmul(filtered, columns[j], row[..., j : j + width])
        out = torch.addcmul(out, weight, filtered)
    return out


def filter_cpu(image: np.ndarray, vertical: np.ndarray, horizontal: np.ndarray) -> np.ndarray:
    """The operator on a processor, float32, one image.

    image (channels, height + taps - 1, width + taps - 1), vertical and horizontal (taps, height, width) ->
    (channels, height, width). Raises ValueError when the shapes do not fit.
    """
    image, vertical, horizontal = (np.ascontiguousarray(a, np.float32) for a in (image, vertical, horizontal))
    taps, height, width = vertical.shape
    if horizontal.shape != vertical.shape or image.shape[1:] != (height + taps - 1, width + taps - 1):
        raise ValueError(f"shapes do not fit: image {image.shape}, filters {vertical.shape} and {horizontal.shape}")
    return _filter(image, vertical, horizontal, numba.get_num_threads())


@intrinsic
def _tile(typing: Any, out: Any, weights: Any, rows: Any, columns: Any, taps: Any, stride: Any) -> Any:
    """out[line] += sum over r of weights[r, line] * (sum over j of columns[j, line] * rows[r, j:]), vectors of LANES.

    Emitted as LLVM code for the whole block: numba itself would keep the ROWS * LINES sums in memory.
    """
    vector = ir.VectorType(ir.FloatType(), LANES)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = [
            context.make_array(kind)(context, builder, value).data
            for kind, value in zip(signature.args[:4], arguments[:4], strict=True)
        ]
        end, step = arguments[4:]
        name = f"llvm.fmuladd.v{LANES}f32"
        multiply_add = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), name)

        def number(value: int) -> ir.Constant:
            return ir.Constant(end.type, value)

        def place(base: Any, offset: Any) -> Any:
            return builder.bitcast(builder.gep(base, [offset]), vector.as_pointer())

        def load(base: Any, offset: Any) -> Any:
            return builder.load(place(base, offset), align=4)

        before, loop, after = builder.block, builder.append_basic_block("taps"), builder.append_basic_block("sum")
        builder.branch(loop)
        builder.position_at_end(loop)
        j = builder.phi(end.type)
        sums = [[builder.phi(vector) for _ in range(LINES)] for _ in range(ROWS)]
        first = builder.mul(j, number(LINES * LANES))
        filters = [load(data[3], builder.add(first, number(line * LANES))) for line in range(LINES)]
        added = []
        for r in range(ROWS):
            pixels = load(data[2], builder.add(builder.mul(step, number(r)), j))
            added.append([builder.call(multiply_add, [filters[q], pixels, sums[r][q]]) for q in range(LINES)])
        following = builder.add(j, number(1))
        j.add_incoming(number(0), before)
        j.add_incoming(following, loop)
        for r in range(ROWS):
            for line in range(LINES):
                sums[r][line].add_incoming(ir.Constant(vector, [0.0] * LANES), before)
                sums[r][line].add_incoming(added[r][line], loop)
        builder.cbranch(builder.icmp_signed("<", following, end), loop, after)
        builder.position_at_end(after)
        for line in range(LINES):
            total = load(data[0], number(line * LANES))
            for r in range(ROWS):
                weight = load(data[1], number((r * LINES + line) * LANES))
                total = builder.call(multiply_add, [weight, added[r][line], total])
            builder.store(total, place(data[0], number(line * LANES)), align=4)
        return context.get_dummy_value()

    return types.void(out, weights, rows, columns, types.intp, types.intp), code


@numba.njit(parallel=True, cache=True, error_model="numpy")
def _filter(image: np.ndarray, vertical: np.ndarray, horizontal: np.ndarray, threads: int) -> np.ndarray:
    channels, (taps, height, width) = image.shape[0], vertical.shape
    out = np.empty((channels, height, width), np.float32)
    across = -(-width // (BLOCKS * LANES))
    strips = -(-height // LINES) * across
    groups = -(-(taps + LINES - 1) // ROWS)
    for thread in numba.prange(threads):
        # Rows that a line does not use keep a weight of 0, so that every group of ROWS is complete.
        weights = np.zeros((BLOCKS, groups * ROWS, LINES, LANES), np.float32)
        columns = np.zeros((BLOCKS, taps, LINES, LANES), np.float32)
        rows = np.zeros((groups * ROWS, BLOCKS * LANES + taps - 1), np.float32)
        sums = np.zeros((BLOCKS, LINES, LANES), np.float32)
        for strip in range(thread, strips, threads):
            top, left = strip // across * LINES, strip % across * BLOCKS * LANES
            lines, wide = min(LINES, height - top), min(BLOCKS * LANES, width - left)
            whole = wide // LANES
            for tap in range(taps):
                for line in range(lines):
                    down, along = vertical[tap, top + line, left:], horizontal[tap, top + line, left:]
                    for block in range(whole):
                        for lane in range(LANES):
                            weights[block, tap + line, line, lane] = down[block * LANES + lane]
                        for lane in range(LANES):
                            columns[block, tap, line, lane] = along[block * LANES + lane]
                    for lane in range(wide - whole * LANES):
                        weights[whole, tap + line, line, lane] = down[whole * LANES + lane]
                        columns[whole, tap, line, lane] = along[whole * LANES + lane]
            seen = lines + taps - 1
            for channel in range(channels):
                rows[:seen, : wide + taps - 1] = image[channel, top : top + seen, left : left + wide + taps - 1]
                rows[seen:] = 0
                for block in range(-(-wide // LANES)):
                    sums[block] = 0
                    for group in range(groups):
                        _tile(  # type: ignore[call-arg]
                            sums[block],
                            weights[block, group * ROWS],
                            rows[group * ROWS :, block * LANES :],
                            columns[block],
                            taps,
                            rows.shape[1],
                        )
                    for line in range(lines):
                        for lane in range(min(LANES, wide - block * LANES)):
                            out[channel, top + line, left + block * LANES + lane] = sums[block, line, lane]
    return out
