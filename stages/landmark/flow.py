"""Landmarks carried through a sequence: motion below a pixel, measured against the first frame.

Dense flow (DIS: Kroeger et al., ECCV 2016) takes a patch of skin around every point from frame to frame, and the
alignment of the patch (``patches.align``) refines its motion: that survives an opening mouth but adds up errors.
The motion since frame 1 never drifts, but fails where the skin comes to look different: a smooth field of the whole
face (``field``) knows it best while it is small, and a patch of its own is more and more free to correct it.
Every frame also has a detection of its own, too coarse for motion, but it holds long sequences in place. Each
measurement comes with its error, so that least squares leaves small expressions to frame 1 and large ones to the
chain and the detections. Ours: the poster does not say how its landmarks were made.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from stages.landmark.field import Field
from stages.landmark.fusion import Evidence
from stages.landmark.landmarker import CARRIED, DETECTED, Detector, Landmarks
from stages.landmark.patches import Image, align, lay, relight, sample
from stages.tables.box import Box
from stages.tables.points import POINTS

DOUBT, TRUSTED = 0.05, 0.02
"""Shortest moves that the alignments with the frame before and with frame 1 are left free to make, px."""
SMALL = 0.5
"""Motion since frame 1 that the field alone knows best, px: beyond it the alignment gets more freedom."""
LEAST = 0.2
"""Least error that a step from frame to frame is expected to have, px: small motion is left to the field."""


class Carried:
    """Frame 1 by detection with ``detect``, every other frame by motion: the default landmarker.

    ``settings`` are the lines of params.yaml's section landmark (params.py, which needs the names in methods.py first).
    """

    def __init__(self, detect: Detector, settings: Any) -> None:
        self.detect, self.settings = detect, settings
        self.dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)

    def __call__(self, frames: np.ndarray, box: Box) -> Landmarks:
        detection_error = self.settings.detection_error
        start = self.detect(frames[0], box)
        evidence = Evidence(len(frames), POINTS)
        evidence.position(0, start, detection_error)
        patches, weights = lay(start, self.settings.patch_sigma)
        first = previous = Image(frames[0])
        centres = (weights[:, None] * patches).sum(axis=1)
        since_first = Field(first, start, self.settings.stiffness)
        moved, variance = np.zeros((POINTS, 2), np.float32), np.zeros(POINTS, np.float32)  # since frame 1
        for number, frame in enumerate(frames[1:], 1):
            image = Image(relight(frame, like=frames[0]))

            here, dense = patches + moved[:, None], self._flow(previous, image)
            flow = sample(dense, here)
            step = (weights[:, None] * flow).sum(axis=1)
            more, error = align(previous, here, image, here + flow, weights, _free(step, DOUBT))
            evidence.motion(number - 1, number, step + more, np.hypot(error, LEAST))
            moved, variance = moved + step + more, variance + error**2

            since_first.follow(image, dense)
            whole, flow = since_first.at(centres), since_first.at(patches)
            more, error = align(first, patches, image, patches + flow, weights, _free(whole, TRUSTED, SMALL))
            evidence.motion(0, number, whole + more, error)
            gain = variance / (variance + error**2)
            moved, variance = moved + gain[:, None] * (whole + more - moved), variance * (1 - gain)

            detected = self.detect(frame, _shift(box, moved))
            off = np.linalg.norm(detected - start - moved, axis=1) / detection_error
            evidence.position(number, detected, detection_error * np.sqrt(np.maximum(1, off / 3)))  # Huber
            previous = image
        points, error = evidence.solve()
        jitter = np.concatenate([error[:1], error]) / 2  # of a motion's length -> of one coordinate in one frame
        return Landmarks(points.astype(np.float32), [DETECTED] + [CARRIED] * (len(frames) - 1), jitter)

    def _flow(self, first: Image, second: Image) -> np.ndarray:
        return cv2.GaussianBlur(self.dis.calc(first.grey, second.grey, None), (0, 0), self.settings.flow_smoothing)


def _free(motion: np.ndarray, least: float, small: float = 0.0) -> np.ndarray:
    """How far an alignment may move a point from where its ``motion`` (68, 2) takes it: (68,) px."""
    return np.hypot(least, np.maximum(np.linalg.norm(motion, axis=1) - small, 0) / 5)


def _shift(box: Box, moved: np.ndarray) -> Box:
    """The face box, moved as far as the points have on average."""
    x, y = moved.mean(axis=0)
    return box._replace(x=box.x + x, y=box.y + y)
