"""Clips of one's own -> what the trained methods say of them. The one visitor among the rooms: no stage of dvc.yaml."""
