"""What a table held when `data prepare` found it, so that one that has lost rows is not taken for the whole.

A halved table is a good table: folds would be dealt of half the chips, and half a submission would be "valid".
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from competition.common.errors import UserError
from competition.common.files import digest_file

CHUNK = 1 << 20
_seen: set[tuple[Path, int, int, str]] = set()  # files that this process has found to be as they were


@dataclass(frozen=True)
class Stamp:
    """What tells the content of a table from any other.

    Attributes:
        lines: how many it has.
        digest: SHA-256 of the file.
    """

    lines: int
    digest: str

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """Return the stamp of a file."""
        lines, last = 0, b"\n"
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                lines, last = lines + chunk.count(b"\n"), chunk[-1:]
        return cls(lines + (last != b"\n"), digest_file(path))

    def change_to(self, other: Stamp) -> str:
        """Return in a few words how another content differs; "" if it does not."""
        if self == other:
            return ""
        if self.lines != other.lines:
            return f"it had {self.lines:,} lines and has {other.lines:,} now"
        return f"it has {self.lines:,} lines as before, but they say something else"

    def check(self, path: Path) -> None:
        """Refuse a file that holds something else; each is read once a process for that.

        Raises:
            UserError: if it does.
        """
        state = path.stat()
        seen = path, state.st_size, state.st_mtime_ns, self.digest
        if seen in _seen:
            return
        if change := self.change_to(Stamp.of(path)):
            raise UserError(
                f"{path} has changed since `data prepare`: {change}.",
                command={
                    "to bring it back from Kaggle's files": "data prepare --from DIR",
                    "to use it as it is": f"data prepare --from {shlex.quote(str(path.parent))}",
                },
            )
        _seen.add(seen)
