"""``params.yaml``: the simulated data set."""

from __future__ import annotations

from typing import Annotated, ClassVar, TypeAlias

from pydantic import Field

from stages.tables.params import Factor, Noise, Range, Section, Seed, Share

Scale: TypeAlias = Annotated[float, Field(gt=0, le=1)]
Three: TypeAlias = Annotated[list[Annotated[float, Field(ge=0, le=20)]], Field(min_length=3, max_length=3)]


class Variety(Section):
    """How much people and sequences differ.

    Times are shares of a sequence. A spread is a standard deviation; a range is [least, most], evenly distributed.
    """

    strength: Factor  # of all expressions, a factor on the usual intensities
    person_spread: Share  # between people, of their strength and of each unit's intensity, relative
    intensity_spread: Share  # between sequences, of each unit's intensity, relative
    asymmetry: Share  # spread between left and right, relative
    contempt_weak_side: Range[Share]  # its intensity, as a share of the strong side's
    extra_units: Range[Annotated[int, Field(ge=0, le=10)]]  # units of a sequence that its emotion does not have
    extra_intensity: Range[Share]  # of these units
    onset_centre: Range[Share]  # time at which the expression is half way
    onset_spread: Share  # between the units of a sequence, of their centres
    onset_width: Scale  # time scale of the logistic course
    onset_width_spread: Share  # between units, of the logarithm
    linear_share: Share  # mean share of the expression that grows evenly over all frames, exponentially distributed
    linear_spread: Share  # of that share between the units of a sequence, of the logarithm
    resting_motion: Share  # spread of the intensity of units at rest, over time
    blink_share: Share  # of sequences that have a blink
    blink_width: Scale  # time from the middle of a blink to its flank: the standard deviation of a bell
    speech_share: Share  # of sequences whose mouth moves as in speech
    speech_intensity: Range[Share]
    head_turn: Three  # spread of yaw, pitch and roll over a sequence, degrees
    head_shift: Three  # spread of the move in columns and rows, px, and towards the camera, relative
    head_onset_width: Scale  # time scale of the logistic course of the head
    head_sway: Factor  # spread of its wandering, as a share of head_turn and head_shift


class Simulate(Section):
    section: ClassVar[str] = "simulate"

    subjects: Annotated[int, Field(ge=1, le=10_000)]  # people
    sequences: Annotated[int, Field(ge=1, le=6)]  # at most, of a subject
    frames: Range[Annotated[int, Field(ge=4, le=1000)]]  # in a sequence
    noise: Noise  # standard deviation of the sensor noise, grey levels
    seed: Seed
    variety: Variety
