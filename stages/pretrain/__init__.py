"""Simulated actors -> the shipped LMF-FER, which knows faces before it sees a data set."""
