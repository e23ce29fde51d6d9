"""params.yaml: featurize."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from stages.tables.params import Section


class Featurize(Section):
    """How features are made of landmarks and frames."""

    section: ClassVar[str] = "featurize"

    eps: Annotated[float, Field(ge=0, le=10)]  # a largest LMF below this is no motion, px
    face_size: Annotated[int, Field(ge=16, le=1024)]  # side of DTAGN's face images, px
