"""Damaged input of every kind, and what comes of it; see __main__.py."""
