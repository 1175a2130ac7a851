"""Whether a folder is the same on every machine: a word that one writes there, and the others read."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from competition.common.errors import UserError
from competition.common.files import write_text

FOLDER = ".shared"
TRIES = 6  # a second apart: NFS remembers for some seconds that there was no such file
OLD = 30 * 86_400.0  # seconds after which a word was left by a process that was killed


@dataclass(frozen=True)
class Word:
    """A word in a folder that machines share.

    Attributes:
        folder: by its absolute path.
        word: names the file that holds it.
        host: the machine that wrote it.
    """

    folder: Path
    word: str
    host: str

    @property
    def path(self) -> Path:
        """Its file."""
        return self.folder / FOLDER / self.word

    def check(self) -> None:
        """Read it, on any machine.

        Raises:
            UserError: if it is not there: the folder is not shared.
        """
        for _ in range(TRIES):
            with suppress(OSError):
                if self.path.read_text(encoding="utf-8") == self.word:
                    return
            time.sleep(1)
        raise UserError(
            f"{self.folder} on {socket.gethostname()} is not that of {self.host}: expected a folder that all machines "
            "share, such as by NFS, under the same path. Mount it there, and give its path as --workspace."
        )


@contextmanager
def shared_word(folder: Path) -> Iterator[Word]:
    """Write a word into a folder for the time of the block."""
    word = Word(folder.absolute(), secrets.token_hex(8), socket.gethostname())
    with suppress(OSError):
        for path in word.path.parent.iterdir():
            if time.time() - path.stat().st_mtime > OLD:
                path.unlink()
    word.path.parent.mkdir(parents=True, exist_ok=True)
    write_text(word.path, word.word)
    try:
        yield word
    finally:
        with suppress(OSError):  # others may have words there
            word.path.unlink()
            word.path.parent.rmdir()
