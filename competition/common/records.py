"""Records: small JSON files that say what lies beside them, with the number of their format and their own digest.

Every JSON file of a workspace is written and read here, so that a damaged one is noticed, named and mended in one way.
Records of earlier versions carry no digest, and some no format; they are read all the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from competition.common.errors import UNREADABLE, UnreadableError, UserError
from competition.common.files import digest_file, digest_json, open_ordinary, write_json
from competition.common.text import REASON, cut

T = TypeVar("T")
LARGEST = 1 << 28  # bytes of a record


class DamagedError(UserError):
    """A record that is missing, damaged, or of another format."""


def write_record(path: Path, content: Mapping[str, Any], *, version: int) -> dict[str, Any]:
    """Write a record, atomically.

    Args:
        path: of the file.
        content: what it says; of values that JSON knows.
        version: of its format; raise it when readers must not take the old one.

    Returns:
        What was written, with `format` first and `digest` last.

    Raises:
        ValueError: if the content has a `digest`, or another `format`, of its own.
    """
    if "digest" in content or content.get("format", version) != version:
        raise ValueError(f"{path.name}: a record has its own `format` and `digest`, received {sorted(content)}.")
    body: dict[str, Any] = json.loads(json.dumps({"format": version, **content}))  # as it will be read
    body["digest"] = digest_json(body)
    write_json(path, body)
    return body


def is_signed(path: Path) -> bool:
    """Whether a record carries its own digest, as all but those of earlier versions do; whatever else it says.

    Raises:
        DamagedError: if it is missing or damaged.
    """
    with _named(path):
        return _read(path, 0)[1]


def read_record(
    path: Path,
    parse: Callable[[dict[str, Any]], T],
    *,
    version: int,
    older: Collection[int] = (),
    command: str | Mapping[str, str] = "",
    otherwise: str = "",
) -> T:
    """Read a record and what it says.

    Args:
        path: of the file.
        parse: makes the result of the content, without `format` and `digest`; whatever it raises for content that is
            not as it should be counts as damage.
        version: of the format that is read, and that of records without any.
        older: formats that are read too.
        command: what mends a damaged record, as of `UserError`.
        otherwise: what else does.

    Raises:
        DamagedError: if the file is missing, damaged, changed by hand, or of another format.
        UnreadableError: if it is there and cannot be read.
        UserError: that `parse` raises.
    """
    with _named(path, command, otherwise):
        content, _, received = _read(path, version)
        if received in (version, *older):
            return parse(content)
    raise DamagedError(
        f"{path} was written by another version of the toolkit: expected format {version}, received {received!r}.",
        command=command,
        otherwise=otherwise or "use that version",
    )


def _read(path: Path, version: int) -> tuple[dict[str, Any], bool, Any]:
    """Return what a record says, whether it carries its digest, and its format; `version` where it carries none."""
    with open_ordinary(path, LARGEST) as file:
        content = json.loads(file.read().decode("utf-8"))
    if not isinstance(content, dict):
        raise TypeError(f"expected an object, received {content!r:.40}")
    received = content.pop("format", version)
    stated = content.pop("digest", None)
    if stated not in (None, digest_json({"format": received, **content})):
        raise ValueError("its digest is that of another content")
    return content, stated is not None, received


def check_beside(path: Path, files: Mapping[str, str], *, command: str = "") -> None:
    """Refuse files beside a record that are not those that it names.

    Args:
        path: of the record.
        files: SHA-256 of each, by its name.
        command: what makes them again, as of `UserError`.

    Raises:
        DamagedError: if one is missing, or is another one.
    """
    for name, digest in files.items():
        file = path.with_name(name)
        if not file.is_file() or digest_file(file) != digest:
            raise DamagedError(f"{file} is missing or was changed after it was written.", command=command)


@contextmanager
def _named(path: Path, command: str | Mapping[str, str] = "", otherwise: str = "") -> Iterator[None]:
    """Turn whatever reading a record raises into the one error that names it."""
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError as error:
        raise DamagedError(f"{path} is missing.", command=command, otherwise=otherwise) from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno in UNREADABLE:
            raise UnreadableError.of(path, error) from error
        said = cut(" ".join(str(error).split()), REASON) or type(error).__name__
        reason = f"it lacks {said}" if isinstance(error, KeyError) else said
        raise DamagedError(f"{path} is damaged: {reason}.", command=command, otherwise=otherwise) from error
