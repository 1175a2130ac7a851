"""What is missing from a folder of data, and the likeliest mistakes, with what was found instead."""

from __future__ import annotations

import difflib
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from competition.common.errors import UserError
from competition.common.folders import is_file, is_folder, sorted_entries
from competition.common.packed import FORMATS
from competition.common.text import counted, first
from competition.data.search import DEPTH, HERE, ends_in, tables_of
from competition.index.causes import OTHER_SUFFIXES
from competition.index.layout import Layout
from competition.spec.competition import Competition
from competition.spec.images import ImageSet
from competition.spec.load import load_if_shipped

SHOWN = 3  # mistakes, and examples of each
ALIKE = 0.5  # how alike names must be, of 1
TABLE_ENDS = (".csv", ".tsv", ".txt")
FOLDERS_SEEN = 2000  # in which mistakes are looked for

Mistake = tuple[str, str]  # what is likely to be wrong, and the entry of the competition file that mends it, or ""


class IncompleteError(UserError):
    """The table of labels or the labelled chips are not to be found."""


def check_complete(
    found: set[str], earlier: Layout, source: Path, competition: Competition, *, tables_only: bool = False
) -> None:
    """Refuse a folder without the table of labels or the labelled chips.

    Args:
        found: names of the folders and tables that were found in it.
        earlier: what was found before.
        source: the folder.
        competition: names what is needed.
        tables_only: the sample submission is needed instead of the chips: it says which are to be predicted.

    Raises:
        IncompleteError: if something is missing; the line says what was looked for, and what is likely to be wrong.
    """
    images = competition.image_set(competition.default_images)
    needed = competition.tables.train
    if tables_only and (sample := competition.tables.sample_submission):
        needed = (*needed, sample)
    missing = [table for table in needed if not {table} & (found | earlier.tables.keys())]
    lacks_chips = not tables_only and not set(images.train) & (found | earlier.folders.keys())
    if not missing and not lacks_chips:
        return
    tables, folders = first(needed, SHOWN), first(images.train, SHOWN)
    chips = "" if tables_only else f" and the chips {folders}"
    wanted = f"Looked for the table {tables}{chips}, unpacked or as archives"
    lacking = [*missing[:SHOWN], *([" or ".join(images.train[:SHOWN])] if lacks_chips else [])]
    is_ours = load_if_shipped(competition.name) == competition  # nobody is to edit its file
    mistakes = _mistakes(source, missing, competition, lacks_chips=lacks_chips)
    if is_ours and not found:
        mistakes = [(what, entry) for what, entry in mistakes if not entry]
    said = [what if is_ours or not entry else f"{what}: {entry}" for what, entry in mistakes]
    perhaps = f". Perhaps {'; or '.join(said[:SHOWN])}" if said else ""
    if found:
        text = f"{source} lacks {' and '.join(lacking)}. {wanted}; found {first(sorted(found))}{perhaps}."
    else:
        other = "Is it another competition? Add --competition FILE.toml, or `competition init --from DIR` writes one. "
        held = first(entry.name for entry in sorted_entries(source)) or "nothing"
        text = f"{source} holds none of the files of {competition.title}. {wanted}; found {held}{perhaps}."
        text = f"{other if is_ours else ''}{text}"
    alone = {
        "without chips, for scores that others have made": f"data prepare --from {quote(str(source))} --tables-only"
    }
    raise IncompleteError(text, command=alone if found and not missing else "")


def _mistakes(source: Path, missing: Sequence[str], competition: Competition, *, lacks_chips: bool) -> list[Mistake]:
    """Return what is likely to be wrong, the likeliest first."""
    seen, above = _Seen.of(source), one_folder_up(source, missing) if missing else ""
    mistakes = [(above, "")] if above else []
    if lacks_chips:
        mistakes += _of_chips(seen, competition.image_set(competition.default_images))
    if not above:
        further = [name for name in tables_of(competition) if name not in competition.tables.train]
        mistakes += _of_tables(seen, missing, further)
    return mistakes


def one_folder_up(source: Path, names: Sequence[str] = ()) -> str:
    """Return advice to give the folder above `source`, if a table lies there; "" if none does.

    Args:
        source: the folder that was given.
        names: of the tables that are looked for, also in archives; none: any table does.
    """
    above = source.resolve().parent
    shown = source.parent if source.name not in ("", "..") else above
    wanted = {name + end for name in names for end in ("", *FORMATS)}
    files = [entry.name for entry in sorted_entries(above) if is_file(entry)]
    tables = [name for name in files if (name in wanted if names else name.lower().endswith(TABLE_ENDS[:2]))]
    tables.sort(key=lambda name: bool(re.search(r"sample|submi|test", name, re.I)))
    return f"--from {shown}, which has {tables[0]}" if tables else ""


@dataclass
class _Seen:
    """What lies in a folder.

    Attributes:
        suffixes: how many files end how, by the path of their folder within the source.
        bare: how many files have no suffix, likewise.
        files: paths of tables and archives.
        is_deep: whether there are folders too deep to be searched.
        unread: why folders could not be read.
    """

    suffixes: dict[str, Counter[str]]
    bare: dict[str, int]
    files: list[str]
    is_deep: bool
    unread: list[OSError]

    @classmethod
    def of(cls, source: Path) -> _Seen:
        seen = cls({}, {}, [], False, [])
        level = [(source, "")]
        for depth in range(DEPTH + 2):
            below = []
            for folder, inside in level[:FOLDERS_SEEN]:
                ends: Counter[str] = Counter()
                for entry in sorted_entries(folder, seen.unread.append):
                    path = f"{inside}/{entry.name}" if inside else entry.name
                    if is_folder(entry):
                        below.append((Path(entry.path), path))
                    elif entry.name.lower().endswith((*TABLE_ENDS, *FORMATS)):
                        seen.files.append(path)
                    else:
                        ends[os.path.splitext(entry.name)[1].lower()] += 1
                pictures = Counter({end: count for end, count in ends.items() if end in OTHER_SUFFIXES})
                if ends[""]:
                    seen.bare[inside or HERE] = ends[""]
                if pictures:
                    seen.suffixes[inside or HERE] = pictures
                    seen.is_deep |= depth > DEPTH
            level = below
        return seen


def _of_chips(seen: _Seen, images: ImageSet) -> Iterator[Mistake]:
    """Yield what is likely to be wrong where no chips are found, the likeliest first."""
    names, said = images.train, " or ".join(images.suffix)
    if seen.unread:
        yield f"they are in a folder that cannot be read: {first(map(_unreadable, seen.unread), 1)}", ""
    named = [path for path in seen.suffixes if any(ends_in(path.split("/"), name) for name in names)]
    for folder in named:
        suffix, count = seen.suffixes[folder].most_common(1)[0]
        holds = f"{folder} holds {counted(count, 'file')}"
        if suffix in images.suffix:
            yield f"{holds}, none called {images.file!r}", "see the entry file"
        else:
            yield f"{holds} in {suffix}, and the competition file says {said}", f'suffix = "{suffix}"'
    for folder, count in seen.bare.items():
        if folder not in named and any(ends_in(folder.split("/"), name) for name in names):
            files = f"{counted(count, 'file')} without a suffix"
            yield f"{folder} holds {files}: these are not looked at, rename them to end in {images.suffix[0]}", ""
    right = {folder: sum(ends[suffix] for suffix in images.suffix) for folder, ends in seen.suffixes.items()}
    others = [name for name, count in right.items() if count and name not in names and name.count("/") < DEPTH]
    if others:
        best = max(others, key=lambda folder: (_likeness(folder, names), right[folder]))
        place = "the folder is the source itself" if best == HERE else f"the folder is {best}"
        yield f"{place}, with {counted(right[best], 'file')} in {said}", f'train = "{best}"'
    if seen.is_deep:
        yield f"the chips lie more than {DEPTH} folders deep: give --from a folder nearer to them", ""
    archives = [path for path in seen.files if path.lower().endswith(FORMATS)]
    packed = [path for path in archives if not path.lower().endswith(".zip")]
    if packed:
        yield f"they are in {first(packed, 1)}, which is called otherwise: unpack it, or give it the folder's name", ""
    if seen.suffixes and not named and not any(right.values()):
        best = max(sorted(right), key=lambda folder: (_likeness(folder, names), seen.suffixes[folder].total()))
        suffix, count = seen.suffixes[best].most_common(1)[0]
        yield f"{best} holds {counted(count, 'file')} in {suffix}", f'train = "{best}" and suffix = "{suffix}"'


def _of_tables(seen: _Seen, missing: Sequence[str], further: Sequence[str]) -> Iterator[Mistake]:
    """Yield what a table that is missing may be called: none of those that the competition names besides."""
    tables = [path for path in seen.files if path.lower().endswith(TABLE_ENDS)]
    tables = [path for path in tables if not any(ends_in(path.split("/"), name) for name in further)]
    for name in missing[:1]:
        best = max(tables, key=lambda path: _likeness(path, [name]), default="")
        if best.lower().endswith(".csv") or (best and _likeness(best, [name]) > ALIKE):
            yield f"the table of labels is {best}", f'train = "{best}" under [tables]'


def _unreadable(error: OSError) -> str:
    return f"{error.filename} ({error.strerror})"


def _likeness(path: str, names: Sequence[str]) -> float:
    last = path.rpartition("/")[2].lower()
    return max(difflib.SequenceMatcher(None, last, name.rpartition("/")[2].lower()).ratio() for name in names)
