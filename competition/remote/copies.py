"""Files that are kept in a place by name and digest, so that two people who write there at once never mix theirs.

A file `fold0/test.npz` lies as `fold0/test.3f2a9c1e0b7d44aa.npz`: readable by people, and another content has another
name. What was sent half lies there with another size, and is sent again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from competition.common.errors import UserError
from competition.common.files import digest_file, replace_atomically
from competition.common.interrupts import check
from competition.remote.places import Place
from competition.remote.reaching import MissingError

IN_NAME = 16  # hex digits of the digest in a file's name

OnBytes = Callable[[int], None]


@dataclass(frozen=True)
class Content:
    """What a file holds.

    Attributes:
        sha256: its digest, 64 hex digits.
        size: bytes.
    """

    sha256: str
    size: int

    @classmethod
    def of(cls, path: Path) -> Content:
        """Return that of a file of this machine."""
        return cls(digest_file(path), path.stat().st_size)

    def is_in(self, path: Path) -> bool:
        """Return whether a file of this machine is there and holds it."""
        return path.is_file() and path.stat().st_size == self.size and digest_file(path) == self.sha256

    def stored_as(self, name: str) -> str:
        """Return the name that a file of this content has in a place."""
        folder, slash, last = name.rpartition("/")
        stem, dot, suffix = last.partition(".")
        return f"{folder}{slash}{stem}.{self.sha256[:IN_NAME]}{dot}{suffix}"


def put(place: Place, source: Path, name: str, content: Content, on_bytes: OnBytes, *, again: bool = False) -> bool:
    """Send a file to a place, unless it is there and not to be sent again; return whether it was sent.

    Raises:
        UserError: if it does not arrive whole, or holds something else by now; then it is not there.
    """
    check()
    stored = content.stored_as(name)
    is_there = not again and place.size(stored) == content.size
    if is_there:
        on_bytes(content.size)
    else:
        place.send(source, stored, on_bytes)
    if not content.is_in(source):
        if not is_there:  # it is something else under this name
            place.remove(stored)
        raise UserError(f"{source} was changed while it was sent. Run the same command again when that has ended.")
    if not is_there and (received := place.size(stored)) != content.size:
        raise UserError(
            f"{place.url}/{stored} did not arrive whole: expected {content.size} bytes, received {received or 0}. "
            "Run the same command again."
        )
    return not is_there


def fetch(place: Place, name: str, content: Content, target: Path, on_bytes: OnBytes) -> None:
    """Bring a file from a place, checked as it comes, whole or not at all.

    Raises:
        UserError: if it is not there, or holds something else than it should.
    """
    stored = content.stored_as(name)
    digest, size = hashlib.sha256(), 0
    with replace_atomically(target) as temporary:
        try:
            with temporary.open("wb") as file:
                for chunk in place.chunks(stored):
                    check()
                    size += len(chunk)
                    if size > content.size:  # whoever wrote it may mean to fill the disk
                        break
                    digest.update(chunk)
                    file.write(chunk)
                    on_bytes(len(chunk))
        except MissingError as error:
            raise UserError(f"{error} Push it again from a workspace that has it.") from error
        if size != content.size or digest.hexdigest() != content.sha256:
            raise UserError(
                f"{place.url}/{stored} is damaged: it is not what was pushed. Push it again, with --force, from a "
                "workspace that has it."
            )
