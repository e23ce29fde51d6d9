"""Actors: people of whom only the landmarks exist, as many as wanted, for networks to learn on before a data set."""
