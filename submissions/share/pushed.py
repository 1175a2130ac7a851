"""What lies in a place that workspaces are pushed to, as the records of the pushes say.

Layout of a place:

    runs/<model>/fold<k>/test.<digest>.npz   files, by their path in a workspace and the digest of what they hold
    pushes/<number>-<id>.json                what one push brought; written last, so that files without it are not there

Of two pushes that bring the same artefact, the later counts. Nothing is ever written over: two people may push at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, TypeVar
from uuid import uuid4

from competition.common.errors import UserError
from competition.common.files import digest_json
from competition.common.records import DamagedError
from competition.common.text import first, now, short
from competition.remote.copies import Content
from competition.remote.notes import read_note, write_note
from competition.remote.places import Place
from competition.spec.competition import Competition
from submissions.share.artefacts import Artefact

FORMAT = 1
FOLDER = "pushes"
RECORD = r"(\d{6})-[0-9a-f]{8}\.json"
AT_ONCE = 8  # transfers: a store answers each after a while
DIGEST = r"[0-9a-f]{64}"

Files = dict[str, Content]  # by name within the artefact's folder
T = TypeVar("T")
R = TypeVar("R")


def at_once(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Return what some work makes of each item, several at a time; what has not begun is dropped where one fails."""
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        return [future.result() for future in [pool.submit(work, item) for item in items]]
    finally:
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class Pushed:
    """What lies in a place.

    Attributes:
        artefacts: the files of each, by its key.
        fold_digest: of the fold table with which it was made; None if nothing says so.
        number: of the last push; 0 if there was none.
    """

    artefacts: Mapping[str, Files]
    fold_digest: str | None = None
    number: int = 0


def read_pushed(place: Place, competition: Competition) -> Pushed:
    """Return what lies in a place.

    Raises:
        UserError: if it cannot be reached, is of another competition or of several fold tables, or a record is damaged
            or names what is no artefact.
    """
    names = [name for name in place.names_in(FOLDER) if re.fullmatch(RECORD, name)]
    records = at_once(lambda name: _read(place, name), names)
    artefacts: dict[str, Files] = {}
    for record in records:  # in the order of their numbers
        if (record["competition"], record["labels"]) != (competition.name, _digest(competition)):
            raise UserError(
                f"{place.url} is of the competition '{record['competition']}', or of other labels; this workspace is "
                f"of '{competition.name}'. Give another place, or --competition."
            )
        artefacts |= record["artefacts"]
    digests = {record["fold_digest"] for record in records} - {None}
    if len(digests) > 1:
        raise UserError(
            f"{place.url} holds what was made with several fold tables ({first(map(short, sorted(digests)))}): two who "
            f"differ pushed at once. Take one of the last records in {FOLDER}/ away, and push again."
        )
    return Pushed(artefacts, next(iter(digests), None), int(names[-1][:6]) if names else 0)


def lacking_in(place: Place, pushed: Pushed, chosen: Iterable[Artefact]) -> set[Artefact]:
    """Return those of some artefacts that were pushed and of which a file is not there with its size.

    Each folder is listed once.
    """
    sizes = {
        artefact: {content.stored_as(artefact.path(name)): content.size for name, content in files.items()}
        for artefact in chosen
        if (files := pushed.artefacts.get(artefact.key))
    }
    folders = sorted({path.rpartition("/")[0] for expected in sizes.values() for path in expected})
    listed = zip(folders, at_once(place.sizes_in, folders), strict=True)
    found = {f"{folder}/{name}".lstrip("/"): size for folder, held in listed for name, size in held.items()}
    return {artefact for artefact, expected in sizes.items() if not expected.items() <= found.items()}


def write_pushed(
    place: Place, competition: Competition, artefacts: Mapping[str, Files], fold_digest: str | None, number: int
) -> None:
    """Write the record of a push, after all of its files.

    Args:
        place: that they were pushed to.
        competition: of the workspace.
        artefacts: the files of each, by its key.
        fold_digest: of the workspace's fold table; None if it has none.
        number: of the push.
    """
    content = {
        "competition": competition.name,
        "labels": _digest(competition),
        "fold_digest": fold_digest,
        "pushed": now(),
        "artefacts": {
            key: {name: asdict(content) for name, content in files.items()} for key, files in artefacts.items()
        },
    }
    name = f"{FOLDER}/{number:06}-{uuid4().hex[:8]}.json"
    write_note(place, name, content, version=FORMAT)


def _digest(competition: Competition) -> str:
    return digest_json(list(competition.labels))


def _read(place: Place, name: str) -> dict[str, Any]:
    try:
        return read_note(place, f"{FOLDER}/{name}", _parse, version=FORMAT)
    except DamagedError as error:
        raise UserError(f"{error} Take it away, and push again what it brought.") from error


def _parse(content: dict[str, Any]) -> dict[str, Any]:
    """Return a record, refusing what no push can have written: it may be anybody's."""
    fold_digest = content["fold_digest"]
    if fold_digest is not None and not re.fullmatch(DIGEST, fold_digest):
        raise ValueError(f"{fold_digest!r:.40} is no digest")
    artefacts = {key: _files(key, dict(files)) for key, files in dict(content["artefacts"]).items()}
    known = {"competition": str(content["competition"])[:100], "labels": str(content["labels"])}
    return {**known, "fold_digest": fold_digest, "artefacts": artefacts}


def _files(key: str, files: dict[str, Any]) -> Files:
    artefact = Artefact.of(key)
    if artefact is None:
        raise ValueError(f"{key!r:.100} is no artefact")
    for name, content in files.items():
        if not artefact.allows(name):
            raise ValueError(f"{name!r:.100} is no file of {key}")
        if not re.fullmatch(DIGEST, content["sha256"]) or type(content["size"]) is not int or content["size"] < 0:
            raise ValueError(f"{key}/{name} has no digest and size")
    if not files or (artefact.kind.marker and artefact.kind.marker not in files):
        raise ValueError(f"{key} is not whole")
    return {name: Content(content["sha256"], content["size"]) for name, content in files.items()}
