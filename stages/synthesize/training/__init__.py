"""Trains the small SepConv: in about a minute on one core, on faces of people who are in no fold."""
