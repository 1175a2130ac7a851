"""The one exception for what the user can mend."""

from __future__ import annotations


class UserError(ValueError):
    """Bad input that the user can mend; its text is the one line that `run.py` shows.

    The text says what happened, what was expected, what was received, and the command that mends it.
    """


def unknown_name(kind: str, name: str, known: list[str]) -> UserError:
    """Return the error for a name that does not exist, listing the ones that do.

    Args:
        kind: what the name stands for, such as "recipe".
        name: the name received.
        known: the names that would have been right.
    """
    listed = ", ".join(sorted(known)) or "none yet"
    return UserError(f"Unknown {kind} {name!r}. Known: {listed}.")
