"""URLs of places, and what a store raises, as one line that shows no secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from competition.common.errors import UserError
from competition.common.text import REASON, cut, printable, without_secrets


def is_url(text: str) -> bool:
    """Return whether a text names a place by its protocol, rather than a folder of this machine."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://|[A-Za-z0-9]+::", text) is not None


@contextmanager
def reaching(url: str, *, missing_ok: bool = False) -> Iterator[None]:
    """Turn whatever a store raises within the block into one line that names the place, and no secret.

    Args:
        url: of the place, or of a file in it.
        missing_ok: leave the error for what is not there to the caller.
    """
    try:
        yield
    except (ImportError, UserError):
        raise
    except FileNotFoundError as error:
        if missing_ok:
            raise
        raise UserError(f"{url} is not there.") from error
    except Exception as error:  # every store has exceptions of its own
        said = cut(without_secrets(" ".join(printable(str(error)).split())), REASON).rstrip(".")
        raise UserError(f"{url} cannot be used: {said or type(error).__name__}.") from error
