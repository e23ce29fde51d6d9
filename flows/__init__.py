"""Prefect's flows: the pipeline of dvc.yaml, run stage by stage."""

import stages  # noqa: F401  before any library that it sets up is loaded
