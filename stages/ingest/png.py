"""Whether a PNG is whole: decoders fill what is missing with black, or show the first picture of many."""

from __future__ import annotations

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples of a pixel by colour type: grey, RGB, palette, grey and alpha, RGBA (the PNG specification, 11.2.2)."""
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Adam7: the first column and row of each pass of an interlaced image, and the steps to the next (8.2)."""


def check(content: bytes, largest: int) -> tuple[int, int]:
    """Width and height of a PNG that is complete, undamaged, of one picture, and of at most 8 bits a sample.

    Raises ValueError with the reason for any other file, and for one with a side of more than ``largest`` px.
    """
    if not content.startswith(SIGNATURE):
        raise ValueError("it is empty" if not content else "it is no PNG")
    position, data, header = len(SIGNATURE), [], b""
    while True:
        if position + 12 > len(content):
            raise ValueError("it ends too early")
        size, kind = struct.unpack(">I4s", content[position : position + 8])
        body = content[position + 8 : position + 8 + size]
        check_sum = content[position + 8 + size : position + 12 + size]
        if len(check_sum) < 4:
            raise ValueError("it ends too early")
        if struct.unpack(">I", check_sum)[0] != zlib.crc32(kind + body):
            raise ValueError("a checksum is wrong")
        header = header or body
        if kind == b"acTL":
            raise ValueError("it is animated")
        if kind == b"IDAT":
            data.append(body)
        if kind == b"IEND":
            break
        position += 12 + size
    if len(header) != 13:
        raise ValueError("its header is damaged")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if not (0 < width <= largest and 0 < height <= largest):
        raise ValueError(f"it is {width} x {height} pixels, and more than {largest} a side is no frame of a face")
    if depth > 8:
        raise ValueError(f"it has {depth} bits a sample, and 8-bit frames are needed")
    bits = depth * CHANNELS.get(colour, 0)
    wanted = 0
    for x, y, across, down in PASSES if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - x) // across), -(-(height - y) // down)
        wanted += rows * (1 + -(-columns * bits // 8)) if columns > 0 and rows > 0 else 0
    try:
        held = len(zlib.decompressobj().decompress(b"".join(data), wanted + 1))
    except zlib.error:
        raise ValueError("its pixels are damaged") from None
    if held != wanted:
        raise ValueError("pixels are missing" if held < wanted else "it holds more than its pixels")
    return width, height
