"""Prefect flows: visitors that walk DVC's plan without owning it."""
