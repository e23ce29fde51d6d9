"""Landmarks and crops -> LMF maps, SFEM, and DTAGN's inputs."""
