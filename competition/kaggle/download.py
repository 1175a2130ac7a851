"""Downloading a competition's files: which, whether the disk has room, and each one whole or not at all.

Ours, as the official client throws away what has come when the rest is refused once (see `client`). A file on its way
lies in the folder `.partial/`, where an interrupted download goes on; one that has the size Kaggle lists takes its name
in the folder itself.
"""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from competition.common.errors import UserError
from competition.common.folders import check_room, disk_of, free_bytes
from competition.common.locks import locked
from competition.common.progress import reporter
from competition.common.text import first, readable
from competition.data.search import Wanted, search
from competition.kaggle.answers import RemoteFile
from competition.kaggle.client import Kaggle
from competition.kaggle.errors import AGAIN, clean
from competition.kaggle.transfer import begun_in, received_in
from competition.spec.competition import Competition
from competition.terminal.tables import table
from competition.workspace import Workspace

PARTIAL = ".partial"
ROOM = "Nothing was downloaded. Make room, choose fewer with --files, or give a --workspace or --to on another disk."
CHIPS_GROW, TABLES_GROW = 2, 20  # times an archive's size; Planet's GeoTIFFs 1.6, its tables 9 to 19


@dataclass(frozen=True)
class Plan:
    """What is to be downloaded.

    Attributes:
        folder: receives the files.
        unpacked_to: receives what is in them.
        listed: every file of the competition.
        wanted: the files to have.
        here: those of them that are in `folder` already.
        begun: bytes that are there of the others.
        absent: what is needed, and neither listed nor in `folder`.
    """

    folder: Path
    unpacked_to: Path
    listed: tuple[RemoteFile, ...]
    wanted: tuple[RemoteFile, ...]
    here: tuple[RemoteFile, ...]
    begun: dict[RemoteFile, int]
    absent: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[RemoteFile, ...]:
        """The files to download."""
        return tuple(file for file in self.wanted if file not in self.here)

    @property
    def to_come(self) -> int:
        """Bytes to download."""
        return sum(max(file.size - self.begun.get(file, 0), 0) for file in self.missing)

    @property
    def unpacked(self) -> int:
        """About how many bytes the wanted files take when they are unpacked; archives say so only at their end."""
        return sum(file.size * _growth(file.name) for file in self.wanted)

    def text(self) -> str:
        """Return one line per file, and the sums."""
        rows = [[clean(file.name), readable(file.size), self._state(file)] for file in self.listed]
        files = table(["file", "size", ""], rows, "lrl")
        lines = [files, "Everything that is wanted is here."]
        if self.missing:
            lines[-1] = (
                f"To download: {readable(self.to_come)}; unpacked, what is wanted takes about "
                f"{readable(self.unpacked)} more; free: {readable(free_bytes(self.folder))}."
            )
        if self.absent:
            lines.append(
                f"Kaggle lists no {first(self.absent)}. Get it from the competition's page or a copy, put it into "
                f"{self.folder}, archive or folder, and run the same command again."
            )
        return "\n".join(lines)

    def check_room(self) -> None:
        """Refuse a disk that has no room for the archives and what is in them.

        Raises:
            UserError: if it has not.
        """
        if not self.missing:
            return
        sizes = [(self.folder, self.to_come), (self.unpacked_to, self.unpacked)]
        needed: Counter[int] = Counter()  # by disk
        for folder, size in sizes:
            needed[disk_of(folder)] += size
        what = f"The download, {readable(self.to_come)} to come and about {readable(self.unpacked)} unpacked,"
        for folder, _ in sizes:
            check_room(needed[disk_of(folder)], folder, what, ROOM)

    def _state(self, file: RemoteFile) -> str:
        if file not in self.wanted:
            return "not needed"
        if file in self.here:
            return "is here"
        begun = self.begun.get(file, 0)
        return f"goes on after {readable(begun)}" if begun else "to download"


def make_plan(workspace: Workspace, listed: Sequence[RemoteFile], folder: Path, patterns: Sequence[str] = ()) -> Plan:
    """Return which of the files that Kaggle lists are wanted, and which are here.

    Args:
        workspace: receives what is unpacked; its competition names the tables and the chips of its default rendering:
            these are wanted.
        listed: every file of the competition.
        folder: receives the files.
        patterns: names of wanted files instead, or patterns such as `*.csv.zip`.

    Raises:
        UserError: if a pattern fits none of them, or none is wanted.
    """
    competition = workspace.competition
    for file in listed:
        _safe_parts(file)
    wanted = _matching(listed, patterns) if patterns else _needed(listed, competition)
    if not wanted:
        raise UserError(
            f"Kaggle lists none of the files that competition '{competition.name}' names, but "
            f"{first(clean(file.name) for file in listed) or 'none'}. Choose with --files."
        )
    here = tuple(file for file in wanted if _here(file, folder))
    begun = {file: begun_in(_partial(file, folder)) for file in wanted if file not in here}
    absent = () if patterns else _absent(wanted, competition, folder)
    return Plan(folder, workspace.data, tuple(listed), tuple(wanted), here, begun, absent)


def download(plan: Plan, kaggle: Kaggle) -> None:
    """Download what is missing. A file takes its name when it has the size that Kaggle lists.

    Raises:
        UserError: if a file cannot be had, or has another size.
    """
    with locked(plan.folder / PARTIAL / ".lock"):
        for number, file in enumerate(plan.missing, 1):
            if _here(file, plan.folder):  # another process has just brought it
                continue
            reporter.note(f"{file.name}: {readable(file.size)} ({number} of {len(plan.missing)})")
            _bring(file, plan.folder, kaggle)


def _bring(file: RemoteFile, folder: Path, kaggle: Kaggle) -> None:
    partial = _partial(file, folder)
    kaggle.download(file, partial)
    served = received_in(partial)
    if len(served) != 1:
        shutil.rmtree(partial, ignore_errors=True)
        raise UserError(f"Kaggle sent no {file.name}. {AGAIN}.")
    (path,) = served
    target = _target(file, folder, is_packed=_is_packed(path, file))
    size = path.stat().st_size
    if file.size and size != file.size and target.name == _safe_parts(file)[-1]:
        shutil.rmtree(partial)
        raise UserError(
            f"{file.name} has the wrong size: expected {file.size:,} bytes, received {size:,}. What came was removed. "
            f"{AGAIN}."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    path.replace(target)
    shutil.rmtree(partial)


def _is_packed(path: Path, file: RemoteFile) -> bool:
    """Whether Kaggle sent a table as an archive of it, which it does without saying so in the list."""
    if path.suffix.lower() != ".zip" or file.name.lower().endswith(".zip"):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError):
        return False


def _needed(listed: Sequence[RemoteFile], competition: Competition) -> list[RemoteFile]:
    needed = _default_parts(competition)
    return [file for file in listed if _held_by(file, needed)]


def _absent(wanted: Sequence[RemoteFile], competition: Competition, folder: Path) -> tuple[str, ...]:
    """Return which folders and tables no wanted file holds; Kaggle no longer serves the chips of every competition."""
    needed = _default_parts(competition)
    have = {name for file in wanted for name in _held_by(file, needed)}
    lacking = [name for name in (*needed.folders, *needed.tables) if name not in have]
    if lacking and folder.is_dir():
        everything = Wanted.of(competition)
        content = search(folder, everything)
        have |= content.names | {name for names in content.bundles(everything).values() for name in names}
    return tuple(name for name in lacking if name not in have)


def _default_parts(competition: Competition) -> Wanted:
    """Return the folders of chips of the default rendering, and the tables."""
    return Wanted.of(competition, [competition.default_images])


def _held_by(file: RemoteFile, wanted: Wanted) -> set[str]:
    """Return what a file is, or holds by its name: a table, chips of a folder, or an archive of either or of all."""
    parts = _safe_parts(file)
    if (name := wanted.named_by(parts)) is not None:
        return {name}
    return {*wanted.folders, *wanted.tables} if wanted.may_hold_all(PurePosixPath(*parts)) else set()


def _matching(listed: Sequence[RemoteFile], patterns: Sequence[str]) -> list[RemoteFile]:
    names = [file.name for file in listed]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UserError(f"--files: no file of the competition is called {pattern!r}. There are {first(names, 12)}.")
    return [file for file in listed if any(fnmatchcase(file.name, pattern) for pattern in patterns)]


def _growth(name: str) -> int:
    suffixes = PurePosixPath(name.lower()).suffixes
    return TABLES_GROW if ".csv" in suffixes and suffixes[-1] != ".csv" else CHIPS_GROW


def _safe_parts(file: RemoteFile) -> tuple[str, ...]:
    """Return the parts of a file's path.

    Raises:
        UserError: if it leads outside, or cannot be a file's name.
    """
    parts = PurePosixPath(file.name).parts
    if not parts or any(
        part == "/" or part.startswith(".") or not part.isprintable() or set(part) & set("\\:") for part in parts
    ):
        raise UserError(f"Kaggle lists a file whose name is refused: {clean(file.name)!r}. Nothing was downloaded.")
    return parts


def _target(file: RemoteFile, folder: Path, *, is_packed: bool) -> Path:
    path = folder.joinpath(*_safe_parts(file))
    return path.with_name(path.name + ".zip") if is_packed else path


def _here(file: RemoteFile, folder: Path) -> bool:
    """Whether the file is in `folder`, with the size that Kaggle lists or as an archive."""
    path = _target(file, folder, is_packed=False)
    if path.is_file() and file.size in (0, path.stat().st_size):
        return True
    return _target(file, folder, is_packed=True).is_file() and not file.name.lower().endswith(".zip")


def _partial(file: RemoteFile, folder: Path) -> Path:
    return folder / PARTIAL / hashlib.sha256(file.name.encode()).hexdigest()[:16]
