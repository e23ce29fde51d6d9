"""The words beside each figure: its title, what it shows for those who cannot see it, and how to read it."""

from __future__ import annotations

from typing import NamedTuple


class Caption(NamedTuple):
    """``kind`` is the format that the page embeds: svg for drawings, png for pictures."""

    kind: str
    title: str
    alt: str
    text: str


CAPTIONS = {
    "table": Caption(
        "svg",
        "The table as a chart",
        "Dot plot of the accuracies in the table above, one row per set and method, each beside the poster's value.",
        "Accuracy with Wilson's 95% interval; diamonds are the poster's values on CK+. Mixed: dot and interval are the"
        " first draw's, the bar and the number are the mean of all draws.",
    ),
    "confusion": Caption(
        "svg",
        "Confusion matrices",
        "Six matrices, one per method and recording, of actual against predicted emotion; the recalls are in the table"
        " below.",
        "Cells count sequences; the shade is the share of the actual emotion.",
    ),
    "gate": Caption(
        "svg",
        "Size of the expressions, and the gate",
        "Histogram of the SFEM of general and micro recordings with the gate between them, above a curve of the joint"
        " framework's accuracy against the gate's threshold.",
        "Above: the SFEM of all recordings that hold any motion. The dashed line is the median of the folds' gates, the"
        " grey band all of them: what lies right of it goes to DTAGN. Below: the accuracy that a gate elsewhere would"
        " have given on the training subjects, mean of the folds and their range; drawn afterwards, never used.",
    ),
    "share": Caption(
        "svg",
        "Accuracy against the share of micro-expressions",
        "Three lines, one per method, of mixed accuracy against the probability that a sequence is the micro one.",
        "Mean of all draws and one standard deviation; the dotted line is the mixed set of the table. But for chance"
        " the mean is a straight line; where two cross, the better method changes.",
    ),
    "size": Caption(
        "svg",
        "Accuracy against the size of the expression",
        "Three lines, one per method, of accuracy against SFEM in bins of equal counts.",
        "General and micro recordings together, in bins of equal counts at their median SFEM, with Wilson's 95%"
        " intervals (shifted sideways a little so that they do not hide each other).",
    ),
    "faces": Caption(
        "png",
        "What SFEM measures",
        "Faces of a small, a median and a large expression in the first, third and last frame, with landmarks.",
        "Small, median and large expression (10th, 50th and 90th percentile of general SFEM). Red: landmarks; lines:"
        " their way from the first frame. The poster's examples have 1.83 (general) and 0.20 (micro).",
    ),
    "reading": Caption(
        "png",
        "How to read a map",
        "Left, the landmarks of a face with their way from the first to the last frame; right, a map of 68 by 68"
        " entries with the groups jaw, brows, nose, eyes and lips marked on both edges.",
        "Left: 68 landmarks and their way through a whole sequence. Right: the map of one step of it. Orange: the pair"
        " moves apart; violet: it comes closer; white: it keeps its distance.",
    ),
    "emotions": Caption(
        "png",
        "A map of each emotion",
        "LMF maps of one sequence per emotion, general above and micro below.",
        "The sequence of median general SFEM of each emotion: the step halfway through its general recording (above)"
        " and its micro recording (below).",
    ),
    "sequence": Caption(
        "png",
        "All maps of one sequence",
        "The LMF maps of a general recording in order of time, and of the micro recording of the same sequence below.",
        "The sequence of median general SFEM; general above, micro below. It is the middle one of the faces above.",
    ),
    "pipeline": Caption(
        "svg",
        "The stages, drawn from DVC's graph",
        "Boxes for the stages from the data set down to the report, joined by arrows in the direction of the data.",
        "Black: the order of stages. Grey: what a stage also reads from farther up.",
    ),
    "learning": Caption(
        "svg",
        "Learning curves",
        "Training loss against epoch for each network.",
        "Training loss per epoch: mean of the folds, and the range from the lowest to the highest fold. The last epoch"
        " is kept.",
    ),
    "landmarks": Caption(
        "svg",
        "Landmarks against the truth",
        "Two line plots of the error of the landmarks' motion along general and micro recordings, one line a method,"
        " above bars of the error of their position.",
        "Above: how far the motion of a landmark since the first frame is off, in general and in micro recordings"
        " (logarithmic). Below: how far its position is off.",
    ),
    "interpolation": Caption(
        "png",
        "Frames in between",
        "Rows of faces: the frames on both sides, the rendered one between them, and each interpolator's, each above"
        " its difference from the rendered one.",
        "Above: a warped picture, the first three frames of a sequence, and a whole sequence; below each frame, its"
        " difference from the rendered one in grey levels.",
    ),
}
