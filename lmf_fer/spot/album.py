"""The last seconds of every face, as small pictures: an expression's onset is known only when it has ended."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass

import cv2
import numpy as np

from lmf_fer.spot.events import LONGEST, Event
from stages.featurize import dtagn

KEPT = LONGEST + 8
"""How long a picture is kept, s: the longest expression, its beginning, and until it is known."""
SIDE = 192
"""Side of a picture, px."""
GREEN = (115, 158, 0)


@dataclass(frozen=True)
class Picture:
    """A face, JPEG; a point p of the frame lies at ``scale`` * (p - ``corner``). ``width`` is the face's, px."""

    frame: int
    time: float
    jpeg: bytes
    corner: np.ndarray
    scale: float
    points: np.ndarray
    width: float

    @property
    def grey(self) -> np.ndarray:
        """uint8 (SIDE, SIDE)."""
        image = cv2.imdecode(np.frombuffer(self.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert image is not None, "encoded here"
        return image

    def drawn(self) -> bytes:
        """The face with its landmarks, JPEG."""
        image = cv2.cvtColor(self.grey, cv2.COLOR_GRAY2BGR)
        for x, y in np.round(self.scale * (self.points - self.corner) * 8).astype(int).tolist():
            cv2.circle(image, (x, y), 12, GREEN, -1, cv2.LINE_AA, shift=3)
        return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()


class Album:
    """Pictures by person. Memory is that of KEPT seconds."""

    def __init__(self) -> None:
        self.people: defaultdict[int, deque[Picture]] = defaultdict(deque)

    def add(self, person: int, frame: int, time: float, grey: np.ndarray, points: np.ndarray, width: float) -> None:
        """A person's face in a frame, uint8 (height, width), with points (68, 2) and the face's ``width`` in px."""
        low, high = points.min(axis=0), points.max(axis=0)
        side = max(4, round(1.5 * float((high - low).max())))
        corner = np.round((low + high) / 2 - (0.5 * side, 0.58 * side)).astype(int)
        x, y = np.clip(corner, 0, np.array(grey.shape[::-1]) - 1)
        part = grey[y : max(corner[1] + side, y + 1), x : max(corner[0] + side, x + 1)]
        left, top = x - corner[0], y - corner[1]
        right, below = side - left - part.shape[1], side - top - part.shape[0]
        if min(left, top, right, below) < 0:  # the face has left the picture
            left = top = right = below = 0
        part = cv2.copyMakeBorder(part, top, below, left, right, cv2.BORDER_REPLICATE)
        small = cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA if side > SIDE else cv2.INTER_LINEAR)
        jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
        pictures = self.people[person]
        pictures.append(Picture(frame, time, jpeg, corner, SIDE / side, points.astype(np.float32), width))
        while pictures[0].time < time - KEPT:
            pictures.popleft()

    def forget(self, time: float) -> None:
        """Drops who has not been there for KEPT seconds."""
        for person in [p for p, pictures in self.people.items() if pictures[-1].time < time - KEPT]:
            del self.people[person]

    def of(self, event: Event) -> list[Picture]:
        """The pictures of an event's frames."""
        return [p for p in self.people.get(event.person, ()) if event.onset <= p.frame <= event.offset]

    def faces(self, event: Event, size: int) -> np.ndarray:
        """Aligned faces from onset to apex for DTAGN, uint8 (n, size, size): by the onset's eyes, as it wants them."""
        inside = [p for p in self.of(event) if p.frame <= event.apex]
        first = inside[0].points
        return np.concatenate([dtagn.faces(p.grey[None], p.scale * (first - p.corner)[None], size) for p in inside])
