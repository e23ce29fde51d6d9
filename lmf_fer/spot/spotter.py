"""Expressions in a stream of frames.

spotter = Spotter()                           # from the root of the repository
for time, frame in camera:                    # s; uint8 (height, width), or (height, width, 3) as BGR
    for event in spotter(time, frame): ...    # those that have just ended
spotter.close()                               # those that the end has cut off
"""

from __future__ import annotations

import cv2
import numpy as np

from lmf_fer.spot.events import Event, Finder, Moment
from lmf_fer.spot.tracking import Faces
from stages.landmark.params import Landmark
from stages.tables import params

RENEWED = 3.0
"""Time between two anchors of a face at rest, s."""


class Spotter:
    """Follows everybody in a film. After a call, ``moments`` holds what the frame shows, by person."""

    def __init__(self, settings: Landmark | None = None) -> None:
        self.faces = Faces(settings or params.read(Landmark))
        self.finders: dict[int, Finder] = {}
        self.moments: dict[int, tuple[Moment, str]] = {}
        self.anchored: dict[int, float] = {}
        self.frame = 0

    def __call__(self, time: float, frame: np.ndarray) -> list[Event]:
        """The expressions that ended with this frame. Raises ValueError for an array of another kind."""
        if frame.dtype != np.uint8 or frame.ndim not in (2, 3) or (frame.ndim == 3 and frame.shape[2] != 3):
            raise ValueError(f"a frame is uint8 (height, width) or (height, width, 3), not {frame.dtype} {frame.shape}")
        grey = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        self.frame += 1
        seen = self.faces(time, grey)
        events: list[Event] = []
        for person in set(self.finders) - {face.person for face in seen if not face.new}:
            events += self.finders.pop(person).close()
            self.anchored.pop(person)
        self.moments = {}
        for face in seen:
            finder = self.finders.setdefault(face.person, Finder(face.person))
            moment, known = finder(self.frame, time, face.points)
            self.moments[face.person] = moment, face.status
            events += known
            if face.new:
                self.anchored[face.person] = time
            elif finder.resting:
                renew = time - self.anchored[face.person] > RENEWED
                self.faces.rest(face.person, renew)
                self.anchored[face.person] = time if renew else self.anchored[face.person]
        return sorted(events, key=lambda event: (event.onset, event.person))

    def close(self) -> list[Event]:
        """The expressions that were under way at the end."""
        events = [event for finder in self.finders.values() for event in finder.close()]
        self.finders = {}
        return sorted(events, key=lambda event: (event.onset, event.person))
