"""The faces of a film and their landmarks, a frame at a time and in memory that does not grow.

Faces are located at a working size and followed at up to full size: patches of skin go from frame to frame and are
compared with an anchor, a frame in which the face was at rest. Anchors are renewed, so nothing is ever compared with a
picture of long ago.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import dlib
import numpy as np

from lmf_fer.spot.events import carried
from stages.landmark.detection import Dlib
from stages.landmark.landmarker import CARRIED, DETECTED
from stages.landmark.params import Landmark
from stages.landmark.patches import EFFECTIVE, NOISE, Image, align, lay, relight, sample
from stages.landmark.presence import ALIKE
from stages.tables.box import Box
from stages.tables.points import BROWS, EYE_CORNERS, JAW, LIPS, POINTS

WORKING = 640
"""Longest side of the picture in which faces are looked for, px."""
FACE = 160
"""Width of a face from which its patches are followed in a smaller picture, px."""
SEARCH, LONGER = 0.2, 0.5
"""Time between two searches for faces, while there is none and while there is one, s."""
KNOWN, AGAIN = 100, 0.6
"""How many faces that were here before are known, and correlation of small pictures from which one is taken for
such a face."""
SIDE = 24
"""Side of these small pictures, px."""
OVERLAP, FITS = 0.3, 0.5
"""Intersection over union from which a detection is a face that is followed already, and below which its box is
renewed."""
CUT = 0.5
"""Correlation of a frame with the one before, both reduced to 32 x 24 px, below which the film was cut."""
CHECK, SETTLED, OUTLINED = 0.1, 10.0, 0.6
"""Time between two detections of a followed face's points, and time constants with which these go there, s: all of them
at rest, and the jaw's always. Motion of the skin is followed; the outline of a head that turns is no skin."""
REACH, ALIKE_AGAIN = 1.0, 0.7
"""How far a patch is looked for, px, and the share of its error by which it must be better to be taken there."""
UPPER = np.r_[BROWS, 36, 39, 42, 45]
"""Landmarks that tell how a head has rolled and come nearer: brows and the eyes' corners, which are about as deep."""
SLIDES = np.where(np.arange(POINTS) < LIPS.start, 2.0, 0.2)
"""How far a patch may slide from one frame to the next, px, unless its anchor holds it: lips change too much to be held
as firmly as skin over bone."""
TETHER = 0.7
"""How far from where the head takes it a patch without texture may be, px, from one frame to the next: along a lip or
a contour there is none, and patches slide."""
ASTRAY = 0.12
"""Median distance between followed and detected points from which the points were lost, in eye distances."""


class Seen(NamedTuple):
    """A person in a frame: a number of their own, from 1, points (68, 2) in px, status, and whether they just came."""

    person: int
    points: np.ndarray
    status: str
    new: bool


class Faces:
    """Follows everybody in a film. Call it with each frame in order."""

    def __init__(self, settings: Landmark) -> None:
        self.settings, self.detect = settings, Dlib(2)
        self.detector = dlib.get_frontal_face_detector()
        self.here: dict[int, Face] = {}
        self.gone: dict[int, np.ndarray] = {}
        self.count, self.searched = 0, -np.inf
        self.small: np.ndarray | None = None
        self.shape: tuple[int, ...] = ()

    def __call__(self, time: float, grey: np.ndarray) -> list[Seen]:
        """Everybody in the frame, uint8 (height, width), at ``time`` in s."""
        small = _small(cv2.resize(grey, (32, 24), interpolation=cv2.INTER_AREA))
        cut = self.small is not None and (float(small @ self.small) < CUT or grey.shape != self.shape)
        self.small, self.shape = small, grey.shape
        if cut:
            for person in list(self.here):
                self._leave(person)
        for person, face in list(self.here.items()):
            if not face.follow(time, grey):
                self._leave(person)
        new: set[int] = set()
        if cut or time - self.searched >= (LONGER if self.here else SEARCH):
            self.searched = time
            new = self._search(grey)
        return [Seen(person, face.points, DETECTED if person in new else CARRIED, person in new)
                for person, face in sorted(self.here.items())]  # fmt: skip

    def rest(self, person: int, anchor: bool) -> None:
        """Says that this person's face is at rest in the last frame, which may become its ``anchor``."""
        face = self.here[person]
        face.settle()
        if anchor:
            face.anchor_here()

    def _search(self, grey: np.ndarray) -> set[int]:
        shrink = min(1.0, WORKING / max(grey.shape))
        picture = grey if shrink == 1 else cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        new = set()
        for found in sorted(self.detector(picture, 0), key=lambda found: found.left()):
            left, top, width, height = (v / shrink for v in (found.left(), found.top(), found.width(), found.height()))
            box = Box(left, top, width, height)
            owner = next((p for p, face in self.here.items() if overlap(box, face.box) > OVERLAP), None)
            if owner is not None:
                if overlap(box, self.here[owner].box) < FITS:  # else kept: detected points depend on it
                    self.here[owner].box = box
                continue
            face = Face(self.detect, self.settings, self.searched, grey, box)
            person = self._known(face)
            self.here[person] = face
            new.add(person)
        return new

    def _known(self, face: Face) -> int:
        alike = {person: float(picture @ face.look) for person, picture in self.gone.items()}
        person = max(alike, key=alike.__getitem__, default=0)
        if not person or alike[person] < AGAIN:
            self.count += 1
            return self.count
        del self.gone[person]
        return person

    def _leave(self, person: int) -> None:
        self.gone[person] = self.here.pop(person).look
        if len(self.gone) > KNOWN:
            del self.gone[next(iter(self.gone))]


class Face:
    """One face that is followed: ``points`` (68, 2) and ``box`` in px of the frame."""

    def __init__(self, detect: Dlib, settings: Landmark, time: float, grey: np.ndarray, box: Box) -> None:
        self.detect, self.settings, self.scale = detect, settings, min(1.0, FACE / box.width)
        self.dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self.box, self.before = box, grey
        self._aim(box)
        self.image = Image(self._view(grey))
        self.points = self.detected()
        self.astray, self.away, self.checked = np.zeros((POINTS, 2)), np.zeros((POINTS, 2)), time
        self.anchor_here()
        self.look = self._look()

    def detected(self) -> np.ndarray:
        """Points (68, 2), px, as they are detected in the last frame."""
        x, y = (np.array([self.box.x, self.box.y]) - self.corner) * self.scale
        box = Box(x, y, self.box.width * self.scale, self.box.height * self.scale)
        return self.detect(self.image.grey, box) / self.scale + self.corner

    def anchor_here(self) -> None:
        """From now on motion is measured against the last frame."""
        inside = ((self.points - self.astray - self.corner) * self.scale).astype(np.float32)
        self.anchor = self.image
        self.patches, self.weights = lay(inside, self.settings.patch_sigma)
        self.offsets = self.patches - self.patches.mean(axis=1, keepdims=True)
        self.moved, self.variance = np.zeros((POINTS, 2), np.float32), np.zeros(POINTS, np.float32)
        self.start = inside
        slopes = np.stack([sample(image, self.patches) for image in (self.anchor.across, self.anchor.down)], axis=-1)
        texture = EFFECTIVE / NOISE**2 * np.einsum("k,pki,pkj->pij", self.weights, slopes, slopes)
        self.pull = np.linalg.inv(np.eye(2) + TETHER**2 * texture)

    def settle(self) -> None:
        """Goes a little towards where the points were detected last: right for a face at rest, and for no other."""
        self.astray = self.astray + (1 - np.exp(-CHECK / SETTLED)) * self.away
        self.away = np.zeros((POINTS, 2))

    def follow(self, time: float, grey: np.ndarray) -> bool:
        """Goes on to the next frame; False when the face is not there any more."""
        centre = np.array([self.box.x + self.box.width / 2, self.box.y + self.box.height / 2])
        if np.abs(centre - self.corner - self.side / 2).max() > 0.12 * self.side:
            old = self.corner
            self._aim(self.box)
            self.moved = self.moved + ((old - self.corner) * self.scale).astype(np.float32)
            self.image = Image(relight(self._view(self.before), like=self.anchor.grey))
        image = Image(relight(self._view(grey), like=self.anchor.grey))
        flow = cv2.GaussianBlur(self.dis.calc(self.image.grey, image.grey, None), (0, 0), self.settings.flow_smoothing)
        patches = self._rolled()
        here = patches + self.moved[:, None]
        dense = sample(flow, here)
        step = (self.weights[:, None] * dense).sum(axis=1)
        more, error = align(self.image, here, image, here + dense, self.weights, _free(step, 0.05))
        moved, variance = self.moved + step + more, self.variance + np.hypot(error, SLIDES) ** 2
        more, error = align(self.anchor, self.patches, image, patches + moved[:, None], self.weights,
                            np.hypot(0.3, np.linalg.norm(moved - moved.mean(axis=0), axis=1) / 4))  # fmt: skip
        gain = variance / (variance + error**2)
        self.moved, self.variance = moved + gain[:, None] * more, variance * (1 - gain)
        alone = self.start + self.moved - carried(self.start + self.moved, self.start)
        self.moved = self.moved - np.einsum("pij,pj->pi", self.pull, alone).astype(np.float32)
        if time - self.checked >= CHECK:
            self._recover(image)
        self.image, self.before = image, grey
        before = self.points
        self.points = (self.start + self.moved) / self.scale + self.corner + self.astray
        x, y = np.median(self.points - before, axis=0)
        self.box = self.box._replace(x=self.box.x + x, y=self.box.y + y)
        outside = ((self.points < 0) | (self.points > np.array(grey.shape[::-1]) - 1)).any(axis=1)
        if outside.mean() > 0.25 or not np.isfinite(self.points).all():
            return False
        look = self._look()
        if float(look @ self.look) < ALIKE:
            return False
        self.look = look
        if time - self.checked >= CHECK:
            away = self.detected() - self.points
            if np.median(np.linalg.norm(away, axis=1)) > ASTRAY * eye_distance(self.points):
                return False
            self.astray[JAW] += (1 - np.exp(-(time - self.checked) / OUTLINED)) * away[JAW]
            away[JAW] = 0
            self.away, self.checked = away, time
        return True

    def _rolled(self) -> np.ndarray:
        """The anchor's patches, rolled and come nearer about their middles as the upper face has since."""
        before, after = (points[UPPER] - points[UPPER].mean(axis=0) for points in (self.start, self.start + self.moved))
        (x, y), (u, v), square = before.T, after.T, (before**2).sum()
        near, roll = (x @ u + y @ v) / square, (x @ v - y @ u) / square
        return self.patches + self.offsets @ np.array([[near - 1, roll], [-roll, near - 1]], np.float32)

    def _recover(self, image: Image) -> None:
        """Patches that slid away, as at a contour that a turn has hidden, go back to where the anchor finds them.

        That is about where the motion of all points together takes them, if they look more like the anchor there.
        """
        together, _ = cv2.estimateAffine2D(self.start, (self.start + self.moved).astype(np.float32), method=cv2.LMEDS)
        if together is None:
            return
        usual = (cv2.transform(self.start[None], together)[0] - self.start).astype(np.float32)
        loose = np.full(POINTS, REACH, np.float32)
        patches = self._rolled()
        (more, there), (_, here) = (align(self.anchor, self.patches, image, patches + moved[:, None],
                                          self.weights, loose) for moved in (usual, self.moved))  # fmt: skip
        lost = there < ALIKE_AGAIN * here
        self.moved = np.where(lost[:, None], usual + more, self.moved).astype(np.float32)
        self.variance = np.where(lost, there**2, self.variance).astype(np.float32)

    def _aim(self, box: Box) -> None:
        self.side = 2 * round(0.9 * box.width)
        middle = np.array([box.x + box.width / 2, box.y + box.height / 2])
        self.corner = np.round(middle - self.side / 2)

    def _view(self, grey: np.ndarray) -> np.ndarray:
        left, top = self.corner.astype(int)
        height, width = grey.shape
        x, y = max(left, 0), max(top, 0)
        part = grey[y : max(top + self.side, y + 1), x : max(left + self.side, x + 1)]
        part = part if part.size else grey[:1, :1]
        edges = y - top, max(top + self.side - height, 0), x - left, max(left + self.side - width, 0)
        part = cv2.copyMakeBorder(part, *edges, cv2.BORDER_REPLICATE) if any(edges) else part
        size = round(self.side * self.scale)
        return part if self.scale == 1 else cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA)

    def _look(self) -> np.ndarray:
        inside = (self.points - self.corner) * self.scale
        left, top = np.maximum(inside.min(axis=0), 0).astype(int)
        right, bottom = np.maximum(inside.max(axis=0), (left + 2, top + 2)).astype(int)
        part = self.image.grey[top:bottom, left:right]
        if part.size == 0:
            return np.zeros(SIDE * SIDE)
        return _small(cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA))


def eye_distance(points: np.ndarray) -> float:
    """Distance of the outer corners of the eyes in points (68, 2)."""
    return float(np.linalg.norm(points[EYE_CORNERS[0]] - points[EYE_CORNERS[1]]))


def overlap(one: Box, two: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(one.x + one.width, two.x + two.width) - max(one.x, two.x)
    height = min(one.y + one.height, two.y + two.height) - max(one.y, two.y)
    both = max(width, 0) * max(height, 0)
    return float(both / (one.width * one.height + two.width * two.height - both))


def _small(picture: np.ndarray) -> np.ndarray:
    """A picture as a vector of mean 0 and length 1; one without contrast is shorter."""
    flat = picture.astype(float).ravel()
    flat -= flat.mean()
    return flat / max(float(np.linalg.norm(flat)), len(flat) ** 0.5)


def _free(motion: np.ndarray, least: float) -> np.ndarray:
    return np.hypot(least, np.linalg.norm(motion, axis=1) / 5)
