"""Simulated faces, which stages/simulate writes in CK+'s own layout."""

from stages.ingest import ckplus

sequences, emotion, frames = ckplus.sequences, ckplus.emotion, ckplus.frames
