"""Clips of one's own -> what the trained methods say of them."""

from lmf_fer.predict.predictor import Answer, Predictor

__all__ = ["Answer", "Predictor"]
