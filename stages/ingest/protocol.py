"""Subject-independent folds."""

from __future__ import annotations

from collections.abc import Iterable


def folds(groups: Iterable[str], count: int) -> dict[str, int]:
    """The fold of every group, such as a subject: the rank of its name, sorted, modulo ``count`` (DTAGN's, on CK+).

    With fewer groups than ``count`` the last folds stay empty, so each group is a fold of its own.
    """
    return {group: rank % count for rank, group in enumerate(sorted(set(groups)))}
