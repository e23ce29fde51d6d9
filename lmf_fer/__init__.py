"""What a person types: the command ``lmf-fer``, and ``predict``, which programs may import too."""
