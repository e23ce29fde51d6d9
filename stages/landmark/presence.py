"""Frames that show no face, and what stands in for them: black frames, dropped frames, a face that is gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from stages.landmark.landmarker import FALLBACK, Landmarks
from stages.tables.box import Box
from stages.tables.errors import Unusable

ALIKE = 0.5
"""Correlation of the face box with frame 1, or with the last frame seen, below which a frame is lost. Strong
expressions keep 0.79, noise has 0, a jump by a fifth of the face 0.4 (measured on simulated faces)."""
TOO_MANY = 1 / 3
"""Share of lost frames from which the motion between the others says too little."""


def seen(frames: np.ndarray, box: Box) -> np.ndarray:
    """Which frames show the face of the first: bool (frames,). ``frames`` is uint8 (frames, height, width)."""
    left, top, right, bottom = (round(v) for v in (box.x, box.y, box.x + box.width, box.y + box.height))
    faces = frames[:, max(top, 0) : bottom, max(left, 0) : right]
    small = np.stack([cv2.resize(face, (24, 24), interpolation=cv2.INTER_AREA).astype(float).ravel() for face in faces])
    small -= small.mean(axis=1, keepdims=True)
    small /= np.maximum(np.linalg.norm(small, axis=1, keepdims=True), 24)  # a spread of one grey level: nothing
    alike = np.ones(len(frames), bool)
    last = small[0]
    for number, face in enumerate(small):
        alike[number] = max(face @ small[0], face @ last) >= ALIKE
        last = face if alike[number] else last
    return alike


def with_gaps(find: Callable[[np.ndarray, Box], Landmarks], frames: np.ndarray, box: Box) -> Landmarks:
    """What ``find`` makes of the frames that show the face, and for the others what lies between their neighbours.

    A frame with more than a quarter of its points outside the picture counts as lost too.

    Raises Unusable when the first frame shows no face or more than a third of the frames are lost.
    """
    good = np.flatnonzero(seen(frames, box))
    _enough(good, len(frames))
    landmarks = find(frames[good], box)
    outside = ((landmarks.points < 0) | (landmarks.points > np.array(frames.shape[:0:-1]) - 1)).any(axis=2)
    inside = outside.mean(axis=1) <= 0.25
    good = good[inside]
    _enough(good, len(frames))
    if len(good) == len(frames):
        return landmarks
    status = np.full(len(frames), FALLBACK, object)
    status[good] = np.array(landmarks.status, object)[inside]
    flat = landmarks.points[inside].reshape(len(good), -1)
    between = np.stack([np.interp(np.arange(len(frames)), good, column) for column in flat.T], axis=1)
    jitter = np.interp(np.arange(len(frames)), good, landmarks.jitter[inside])
    points = between.reshape(len(frames), *landmarks.points.shape[1:])
    return replace(landmarks, points=points.astype(np.float32), status=list(status), jitter=jitter)


def _enough(good: np.ndarray, frames: int) -> None:
    lost = sorted(set(range(frames)) - set(good.tolist()))
    if 0 in lost:
        raise Unusable("no face", "frame 1 shows no face to carry on from; leave the sequence out")
    if len(lost) > TOO_MANY * frames:
        which = ", ".join(str(number + 1) for number in lost)
        raise Unusable("face lost", f"the face of frame 1 is not seen in {len(lost)} of {frames} frames: {which}")
