"""Trains the small SepConv, in minutes on one core, on faces of people who are in no fold."""
