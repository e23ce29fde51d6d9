"""params.yaml: landmark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from stages.landmark.methods import METHODS
from stages.tables.params import Pixels, Section

if TYPE_CHECKING:  # no type checker knows the names
    MethodName: TypeAlias = str
else:
    MethodName = Literal[tuple(METHODS)]


class Landmark(Section):
    """How landmarks are made."""

    section: ClassVar[str] = "landmark"

    method: MethodName
    upscale: Annotated[int, Field(ge=1, le=16)]  # factor by which the face is enlarged for the shape predictor
    flow_smoothing: Pixels  # standard deviation of the Gaussian on the flow
    stiffness: Annotated[float, Field(gt=0, le=1e6)]  # weight of smooth motion against alike grey, squared levels
    patch_sigma: Pixels  # standard deviation of the window of a tracked patch
    detection_error: Pixels  # expected error of one detected point
