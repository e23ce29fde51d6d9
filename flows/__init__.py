"""Prefect's flows: the pipeline of dvc.yaml, run stage by stage."""
