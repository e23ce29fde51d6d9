"""Micro sequences: the first frames of a sequence, with in-between frames interpolated until the working length."""
