"""Files that a stranger may hand over, made by code: what each reader is to refuse, or to read as it stands.

Every module has `CASES`: a name, and what writes such a file into a folder and returns its path.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Case = Callable[[Path], Path]


def file_of(name: str, content: Callable[[], str | bytes]) -> Case:
    """Return what writes a file of that name, with what is made only then."""

    def write(folder: Path) -> Path:
        made, path = content(), folder / name
        path.write_bytes(made if isinstance(made, bytes) else made.encode("utf-8", "surrogatepass"))
        return path

    return write
