"""Writing files whole or not at all, removing what dead processes left of that, and naming content by digest."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
import threading
import tomllib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

from competition.common.errors import UserError, naming
from competition.common.locks import is_dead, own_mark
from competition.common.text import readable

_asking_umask = threading.Lock()
FLUSHED_AT_ONCE = 16  # files of a folder
SCRATCH = "scratch"
TEMPORARY = ".tmp-"  # how names of what is not whole yet begin; the mark of their process follows
LEFT = re.compile(rf"{re.escape(TEMPORARY)}([0-9a-f]{{8}})-(\d+)-\w+\.(.+)", re.DOTALL)
# After which what a process of another machine has written last is a leftover. Nothing that is written takes a day; of
# the week, the rest is for a machine that was asleep.
SAFE_SECONDS = 7 * 24 * 3600
LARGEST_TEXT = 1 << 24  # bytes of a file that a person writes
LONGEST = 100  # characters of a name; most file systems take 255 bytes, and temporary names add some
ENDING = 50  # characters of a name that its temporary one ends in


@contextmanager
def replace_atomically(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it over `path` if the block succeeds.

    A reader sees the old file or the new one, never half of one. The temporary file is removed
    when the block raises. Of a link, the file that it leads to is replaced.

    Args:
        path: the final path; its folder is created.

    Raises:
        UserError: if it is a folder, a device or a pipe.
    """
    _check_ordinary(path)
    path = _followed(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The end of the name comes last, as some writers look at more than one suffix (.weights.h5).
    descriptor, name = tempfile.mkstemp(prefix=_prefix(), suffix=f".{path.name[-ENDING:]}", dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        with naming(path):
            yield temporary
        _open_up(temporary, 0o666)
        with naming(path):
            _flush(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Refuse a path that `replace_atomically` could not write, before the work whose result is to lie there.

    What dead processes left of the same file is removed.

    Raises:
        UserError: if it is none that a file can have: of a folder, a device or a pipe, too long, or out of reach.
    """
    target = _followed(path).absolute()
    try:
        _check_ordinary(path)
        folder = next(folder for folder in target.parents if os.path.exists(folder))
        with tempfile.TemporaryFile(dir=folder):
            pass
        for name in target.relative_to(folder).parts:  # the system looks no further than a folder that is not there
            with suppress(FileNotFoundError):
                (folder / name).lstat()
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}. Give a path in a folder of yours.") from error
    remove_leftovers(target.parent, target.name)


def _followed(path: Path) -> Path:
    """Return the path that a link leads to; any other as it is."""
    return Path(os.path.realpath(path)) if os.path.islink(path) else path


def _check_ordinary(path: Path) -> None:
    """Refuse what is there and is no file."""
    with suppress(FileNotFoundError):
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            what = "a folder" if stat.S_ISDIR(mode) else "no ordinary file"
            raise UserError(f"Cannot write {path}: it is {what}. Give the path of a file, or move it away.")


@contextmanager
def replace_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; it takes the place of `path`, which may exist, if the block succeeds.

    The old folder stays until the new one is complete; if the process is killed between the two renames, the next call
    brings it back, and removes what was half made. One process at a time may replace a folder.
    """
    path = path.absolute()  # "." has no name
    path.parent.mkdir(parents=True, exist_ok=True)
    old = path.with_name(f".{path.name}.old")
    restore_folder(path)
    remove_leftovers(path.parent, path.name)
    temporary = temporary_folder(path)
    try:
        with naming(path):
            yield temporary
        _open_up(temporary, 0o777)
        # At once, as a disk writes what many wait for together: 8,000 chips took 0.9 s, one by one 19 s.
        with naming(path), ThreadPoolExecutor(FLUSHED_AT_ONCE) as pool:
            for _ in pool.map(_flush, (file for file in temporary.rglob("*") if file.is_file())):
                pass
        if path.exists():
            path.rename(old)
        try:
            temporary.rename(path)
        except BaseException:
            restore_folder(path)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def temporary_folder(path: Path) -> Path:
    """Make and return an empty folder beside `path`, of a name that says whose it is."""
    return Path(tempfile.mkdtemp(prefix=_prefix(), suffix=f".{path.name[-ENDING:]}", dir=path.parent))


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield an empty folder where the system keeps such, and remove it; also those that dead processes left."""
    remove_leftovers(Path(tempfile.gettempdir()), SCRATCH)
    with tempfile.TemporaryDirectory(prefix=_prefix(), suffix=f".{SCRATCH}") as name:
        yield Path(name)


def remove_leftovers(folder: Path, name: str = "") -> None:
    """Remove what dead processes left in `folder` of what they were writing.

    Those of this machine are known to be dead; what others have not touched for `SAFE_SECONDS` is taken for left.

    Args:
        folder: in which it lies, not deeper; it need not exist.
        name: of what was to be written; "" is anything.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = LEFT.fullmatch(entry.name)
            if found and name[-ENDING:] in ("", found[3]):
                dead, path = is_dead(found[1], int(found[2])), Path(entry.path)
                with suppress(OSError):
                    if dead or (dead is None and _idle_seconds(path) > SAFE_SECONDS):
                        shutil.rmtree(path) if entry.is_dir(follow_symlinks=False) else path.unlink()


def remove_idle(paths: Iterable[Path], seconds: float) -> None:
    """Remove those files and folders to which nothing was written for so many seconds."""
    for path in paths:
        with suppress(OSError):
            if _idle_seconds(path) > seconds:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _idle_seconds(path: Path) -> float:
    """Return for how long nothing was written to a file, or a folder and below it, by the clock of the disk."""
    with tempfile.TemporaryFile(dir=path.parent) as probe:  # a server's clock need not be ours
        probe.write(b"now")
        probe.flush()
        now = os.fstat(probe.fileno()).st_mtime
    return now - max(each.lstat().st_mtime for each in (path, *path.rglob("*")))


def restore_folder(path: Path) -> None:
    """Bring back a folder that a killed `replace_folder` had moved aside, or remove it where the new one is there."""
    path = path.absolute()
    old = path.with_name(f".{path.name}.old")
    if old.exists() and not path.exists():
        old.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, atomically."""
    with replace_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def checked_name(kind: str, name: str) -> str:
    """Return `name` if it can name a file or folder of the workspace.

    Raises:
        UserError: if it is too long, or holds anything but letters, digits, '_', '.' and '-', or begins with one of
            these three.
    """
    if len(name) > LONGEST or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise UserError(
            f"{name!r} cannot name a {kind}: use up to {LONGEST} letters, digits, '_', '.' and '-', "
            "and begin with a letter or digit."
        )
    return name


def open_ordinary(path: Path, most: int, *, buffering: int = -1) -> IO[bytes]:
    """Open a file for reading that ends: no pipe, no device, and no more than `most` bytes.

    Raises:
        OSError: if it cannot be opened, or is none of these; `strerror` says why.
    """
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise OSError(errno.EINVAL, "it is no ordinary file", str(path))
    if state.st_size > most:
        why = f"it holds {readable(state.st_size)}, and {readable(most)} is the most that is read of such a file"
        raise OSError(errno.EFBIG, why, str(path))
    return path.open("rb", buffering)


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Return what a TOML file says.

    Args:
        path: of the file.
        what: it is, such as "competition file", for the line that refuses it.

    Raises:
        UserError: if it cannot be read, or is no TOML.
    """
    try:
        with open_ordinary(path, LARGEST_TEXT) as file:
            return tomllib.loads(file.read().decode("utf-8").replace("\r\n", "\n"))
    except OSError as error:
        raise UserError(f"Cannot read the {what} {path}: {error.strerror}.") from error
    except ValueError as error:  # of the encoding, the syntax, or a number of thousands of digits
        raise UserError(f"{path} is not valid TOML: {error}.") from error
    except RecursionError as error:
        raise UserError(f"{path} is not valid TOML: it is nested too deeply.") from error


def digest_json(value: Any) -> str:
    """Return the SHA-256 (64 hex digits) of `value` as canonical JSON."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def digest_file(path: Path) -> str:
    """Return the SHA-256 (64 hex digits) of the content of the file at `path`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def versions_of(*packages: str) -> dict[str, str]:
    """Return the versions of installed packages, by name; what is not installed is left out."""
    versions = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions


def _prefix() -> str:
    return f"{TEMPORARY}{own_mark()}-"


def _flush(path: Path) -> None:
    """Wait until a file's content is on the disk: a power cut must not leave its name without it."""
    with path.open("r+b") as written:  # Windows flushes only what it may write
        os.fsync(written.fileno())


def _open_up(path: Path, mode: int) -> None:
    """Give what `tempfile` has made, and made private, the mode that it would have without that."""
    with suppress(OSError):  # a file system with modes of its own, such as CIFS, refuses
        path.chmod(mode & ~_umask())


def _umask() -> int:
    with _asking_umask:  # it can only be asked for by changing it, for all threads
        mask = os.umask(0)
        os.umask(mask)
    return mask
