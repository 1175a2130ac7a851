"""URLs of places, and what a store raises, as one line that shows no secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from competition.common.errors import UserError
from competition.common.text import REASON, cut, printable, without_secrets


class MissingError(UserError):
    """A place, or a file in it, that is not there."""


def is_url(text: str) -> bool:
    """Return whether a text names a place by its protocol, rather than a folder of this machine."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://|[A-Za-z0-9]+::", text) is not None


@contextmanager
def reaching(url: str, *, missing_ok: bool = False) -> Iterator[None]:
    """Turn whatever a store raises within the block into one line that names the place, and no secret.

    Args:
        url: of the place, or of a file in it.
        missing_ok: leave the error for what is not there to the caller.

    Raises:
        MissingError: if it is not there.
        UserError: if anything else fails.
    """
    try:
        yield
    except (ImportError, UserError):
        raise
    except FileNotFoundError as error:
        if missing_ok:
            raise
        raise MissingError(f"{url} is not there.") from error
    except Exception as error:  # every store has exceptions of its own
        said = cut(without_secrets(" ".join(printable(str(error)).split())), REASON).rstrip(".")
        raise UserError(f"{url} cannot be used: {said or type(error).__name__}.{_advice(error)}") from error


def _advice(error: Exception) -> str:
    """Return what mends an error, as far as that is known, after a blank."""
    if isinstance(error, (FileExistsError, NotADirectoryError)) and error.filename:
        path = Path(error.filename)
        for place in (path, *path.parents):
            if place.exists() and not place.is_dir():
                return f" {place} is a file, where a folder is needed: move it away, or give another place."
    return ""
