"""A rectangle in an image."""

from __future__ import annotations

from typing import Any, NamedTuple


class Box(NamedTuple):
    """A rectangle in px: whole numbers where it cuts out pixels, fractions where it follows a face."""

    x: Any  # left edge
    y: Any  # top edge
    width: Any
    height: Any
