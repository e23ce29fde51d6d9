"""``python -m lmf_fer`` is the command ``lmf-fer``."""

from lmf_fer.cli import app

if __name__ == "__main__":
    app()
