"""The two ways in which something is wrong with what a person brought."""

from __future__ import annotations


class UserError(Exception):
    """A failure that its reader can mend. The message is one sentence: what was wrong, where, and what to do."""


class Unusable(Exception):
    """Why one sequence cannot be used: ``code``, the kind of reason in a word or two to count by, and a sentence."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code, reason)  # both, so that it can travel between processes
        self.code, self.reason = code, reason

    def __str__(self) -> str:
        return self.reason

    def rejected(self, sequence: str, stage: str) -> dict[str, str]:
        """The row of the rejected table for ``sequence``, which ``stage`` set aside."""
        return {"sequence": sequence, "stage": stage, "code": self.code, "reason": self.reason}
