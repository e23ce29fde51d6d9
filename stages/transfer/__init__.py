"""Trains on one data set and tests on another: a visitor that sends the other one through all rooms."""
