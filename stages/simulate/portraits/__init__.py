"""Portraits of simulated people who are in no fold: what the interpolator learns on, whatever the data set is."""
