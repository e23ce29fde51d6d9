"""What a person types: the command ``lmf-fer``, and ``predict``, which programs may import too."""

import stages  # noqa: F401  before any library that it sets up is loaded
