"""Subject-independent folds."""

from __future__ import annotations

from collections.abc import Iterable


def folds(subjects: Iterable[str], count: int) -> dict[str, int]:
    """The fold of every subject: the rank of its ID, sorted, modulo ``count`` (DTAGN's rule on CK+).

    With fewer subjects than ``count`` the last folds stay empty, so each subject is a fold of its own.
    """
    return {subject: rank % count for rank, subject in enumerate(sorted(set(subjects)))}
