"""What lies in a workspace: digests by what the files mean, what is complete, and what is left over."""

from __future__ import annotations

import hashlib
import io
import json
import re
import sqlite3
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from tensorboardX.proto import event_pb2

# What says when, by whom or how fast something was made, and digests of files and records that say so.
OF_TIME = {"made", "seconds", "written", "digest", "mtime", "date_saved", "created", "recipe_path"}
TIMES = re.compile(
    r"\d{4}-\d\d-\d\d@[0-9:]+|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?|\d+(\.\d+)? s\b|shared_object_id\W+\d+"
)
LOCKS = (".lock",)
UNCOMPARED = ("train.log", "made.json", "rows.npy", "sums.npy", "stamps.json", "layout.json")  # of dates, lines or runs
MARKED = ("heldout.npz", "test.npz", "network.weights.h5", "history.json")  # of a fold, complete with its marker
RANDOM = re.compile(r"^\.[a-z0-9_]{8}\.|(?<=\.new\.)[a-z0-9_]{8}|\d{9,}")


def files_in(root: Path) -> Iterator[Path]:
    """Yield every file of a folder but locks, which are empty and as many as there are things to lock."""
    yield from (path for path in sorted(root.rglob("*")) if path.is_file() and not path.name.endswith(LOCKS))


def digests_of(root: Path) -> dict[str, str]:
    """Return a digest of what each file means, by its path: equal where nothing differs but times."""
    return {_stable(path, root): _digest(path, root) for path in files_in(root)}


def _stable(path: Path, root: Path) -> str:
    """Return a path without what is random, or a time, in the name of an event file."""
    name = str(path.relative_to(root))
    return re.sub(r"events\.out\.tfevents\..*", "events", name)


def _digest(path: Path, root: Path) -> str:
    if path.name in UNCOMPARED:
        return ""
    try:
        return hashlib.sha256(repr(_meaning(path, root)).encode()).hexdigest()[:16]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, sqlite3.Error) as error:
        return f"unreadable: {error}"


def _meaning(path: Path, root: Path) -> Any:
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return [(name, arrays[name].dtype.str, arrays[name].tobytes()) for name in sorted(arrays)]
    if path.suffix == ".json":
        return _timeless(json.loads(path.read_text(encoding="utf-8").replace(str(root), "")))
    if path.suffix == ".h5":
        return _weights(path)
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            inside = {name: archive.read(name) for name in sorted(archive.namelist())}
        return [
            _weights(io.BytesIO(held)) if name.endswith(".h5") else _text(held, root) for name, held in inside.items()
        ]
    if path.suffix == ".db":
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as studies:
            asked = "SELECT study_id, COUNT(*) FROM trials WHERE state = 'COMPLETE' GROUP BY study_id"
            return sorted(count for _, count in studies.execute(asked))
    if "tfevents" in path.name:
        return _events(path)
    if path.suffix in (".html", ".toml"):
        return _text(path.read_bytes(), root)
    return path.read_bytes()


def _timeless(value: Any) -> Any:
    """Return what a JSON file says without what differs from run to run."""
    if isinstance(value, dict):
        return {name: _timeless(inside) for name, inside in sorted(value.items()) if name not in OF_TIME}
    return [_timeless(inside) for inside in value] if isinstance(value, list) else value


def _text(content: bytes, root: Path) -> str:
    return TIMES.sub("", content.decode().replace(str(root), ""))


def _weights(path: Path | io.BytesIO) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    with h5py.File(path) as file:
        file.visititems(lambda name, held: found.append((name, held[()].tobytes())) if hasattr(held, "shape") else None)
    return sorted(found)


def _events(path: Path) -> list[Any]:
    """Return the steps, tags and values of an event file: records with their length and two checksums around each."""
    content, at, found = path.read_bytes(), 0, []
    while at < len(content):
        end = at + 12 + struct.unpack_from("<Q", content, at)[0]
        event = event_pb2.Event.FromString(content[at + 12 : end])
        found += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
        at = end + 4
    return found


@dataclass(frozen=True)
class Finished:
    """What was complete at one moment, and must neither go nor be made again.

    Attributes:
        files: by path, what tells a file from one that was written anew.
        rows: by feature bank and view, how many rows were made.
    """

    files: dict[str, tuple[int, int]]
    rows: dict[str, int]

    @classmethod
    def of(cls, root: Path) -> Finished:
        """Look what is complete: scored folds, trained networks, full banks, unpacked folders, scored parts."""
        paths = [path for marker in root.glob("runs/*/fold*/scores.json") for path in (marker, *_marked(marker.parent))]
        paths += [*root.glob("runs/*/fold*/**/network.weights.h5"), *root.glob("runs/*/fold*/parts/*/[0-9]*.npz")]
        paths += [path for folder in _unpacked(root) for path in folder.rglob("*.*")]
        rows: dict[str, int] = {}
        for path in root.glob("cache/features/*/done.json"):
            done = json.loads(path.read_text(encoding="utf-8"))
            rows |= {f"{path.parent.name}/{view}": done[view] for view in done if view not in ("format", "digest")}
        return cls({str(path.relative_to(root)): _state(path) for path in paths}, rows)

    def made_again(self, now: Finished) -> list[str]:
        """Return what is there now too, but was written anew."""
        again = [name for name, state in self.files.items() if now.files.get(name, state) != state]
        return again + [name for name, rows in self.rows.items() if now.rows.get(name, 0) < rows]


def _unpacked(root: Path) -> list[Path]:
    """Return what the workspace knows to be unpacked."""
    record = root / "data" / "unpacked.json"
    return [root / "data" / name for name in json.loads(record.read_text(encoding="utf-8"))] if record.exists() else []


def _marked(folder: Path) -> list[Path]:
    return [folder / name for name in MARKED if (folder / name).is_file()]


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


def left_over(root: Path, undisturbed: set[str]) -> dict[str, int]:
    """Return the bytes of files that an undisturbed chain has not, by their names without what is random in them."""
    found: dict[str, int] = {}
    for path in files_in(root):
        if (name := _stable(path, root)) not in undisturbed:
            kind = "/".join(RANDOM.sub("*", part) for part in name.split("/"))
            found[kind] = found.get(kind, 0) + path.stat().st_size
    return found
