"""Predictions of all folds -> the poster's table, with the statistics it did not print."""
