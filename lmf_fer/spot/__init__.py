"""Films of any length -> the expressions in them: where they begin, are highest and end, and what they show."""

from lmf_fer.spot.events import Event
from lmf_fer.spot.spotter import Spotter

__all__ = ["Event", "Spotter"]
