"""Why chips have no file: the likeliest cause, and the entry of the competition file that mends it."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from competition.common.folders import entries_of
from competition.common.text import first
from competition.index.chip_index import ChipIndex, Ids, Naming
from competition.spec.images import ImageSet

SHOWN = 3  # examples in a line
SAMPLED = 200  # chips without a file that are looked at
PATHS: tuple[Ids, ...] = ("path", "path_stem")
MOST = 0.5  # of which so many must have a cause for it to be named
# Of files that may be chips; .dcm and .npy are not read, and yet a cause.
OTHER_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".jp2", ".bmp", ".gif", ".dcm", ".npy")


def likely_cause(
    missing: Sequence[str],
    index: ChipIndex,
    images: ImageSet,
    ids: Ids,
    folders: Sequence[Path],
    others: Sequence[str] | None = None,
) -> str:
    """Return in a sentence why chips have no file; "" if nothing explains most of them.

    Args:
        missing: their ids.
        index: the chips that were found.
        images: their rendering.
        ids: what an id is.
        folders: where they were looked for.
        others: ids of the other table, of which `ids` must be right too; None if they are not at hand.
    """
    sample = missing[:SAMPLED]
    if bands := [band for name in sample for band in index.lacking.get(name, ())]:
        return f"Some of their bands have no file: {first(dict.fromkeys(bands), SHOWN)}."
    for explains, sentence in _suspects(index, images, ids, folders, others and others[:SAMPLED]):
        if sum(map(explains, sample)) > MOST * len(sample):
            return sentence
    names = first(_names_in(folders), SHOWN)
    return f"The folders hold files such as {names}." if names else "The folders hold no file."


def _suspects(
    index: ChipIndex, images: ImageSet, ids: Ids, folders: Sequence[Path], others: Sequence[str] | None
) -> Iterator[tuple[Callable[[str], bool], str]]:
    """Yield what may have gone wrong, the likeliest first: what tells whether it explains an id, and the sentence."""
    known = set(index.chips)
    bare = {os.path.splitext(name)[0] for name in known}
    last = {PurePosixPath(name).name for name in known}
    lower = {name.lower() for name in known}
    numbers = {name.lstrip("0") for name in known}
    suffixes = tuple(images.suffix)
    with_suffix = {"stem": "name", "path_stem": "path"}.get(ids)
    if with_suffix:
        yield (
            lambda name: name.lower().endswith(suffixes) and os.path.splitext(name)[0] in known,
            _advice("carry the suffix", with_suffix, suffixes, others),
        )
    else:
        without = {"name": "stem", "path": "path_stem"}[ids]
        yield (
            lambda name: not name.lower().endswith(suffixes) and name in bare,
            _advice("carry no suffix", without, suffixes, others),
        )
    for form in PATHS:
        if form != ids:
            paths = set(_index_as(form, images, folders))
            yield paths.__contains__, _advice("are paths within the folder", form, suffixes, others)
    yield (
        lambda name: "/" in name and PurePosixPath(name).name in last,
        'The ids name folders that are not within the image folder: say train = "." and test = "." for the folder of '
        "all files, or the folder above.",
    )
    yield lambda name: name.lower() in lower, "Ids and files differ in capital letters."
    yield lambda name: name.lstrip("0") in numbers, "Ids and files differ in leading zeros."
    yield lambda name: name.strip() in known, "The ids have blanks around them."
    yield from _of_other_suffixes(images, ids, folders)


def _advice(what: str, ids: str, suffixes: tuple[str, ...], others: Sequence[str] | None) -> str:
    """Return which `ids` the competition file should say, or that the other table has them otherwise."""
    has_suffix = ids in ("name", "path")
    unlike = [name for name in others or () if name.lower().endswith(suffixes) != has_suffix]
    if others and len(unlike) > MOST * len(others):
        example = f"the other table names chips differently, such as {unlike[0]}"
        return f"The ids {what}, and {example}: write the ids alike in both tables."
    unless = ", if the ids of both tables are so" if others is None else ""
    return f'The ids {what}: say ids = "{ids}" under [tables] of the competition file{unless}.'


def _of_other_suffixes(
    images: ImageSet, ids: Ids, folders: Sequence[Path]
) -> Iterator[tuple[Callable[[str], bool], str]]:
    others = Naming(images, ids, OTHER_SUFFIXES)
    stems: set[str] = set()
    ends: Counter[str] = Counter()
    for folder in folders:
        for path, _ in others.files_in(folder):
            if (found := others.read(path)) and not path.lower().endswith(images.suffix):
                stems.add(os.path.splitext(found[0])[0] if ids in ("name", "path") else found[0])
                ends[os.path.splitext(path)[1].lower()] += 1
    if ends:
        suffix, count = ends.most_common(1)[0]
        yield (
            lambda name: (os.path.splitext(name)[0] if ids in ("name", "path") else name) in stems,
            f"{count:,} files end in {suffix}: add it to suffix in the competition file.",
        )


def _index_as(ids: Ids, images: ImageSet, folders: Sequence[Path]) -> Iterator[str]:
    naming = Naming(images, ids)
    for folder in folders:
        for path, _ in naming.files_in(folder):
            if found := naming.read(path):
                yield found[0]


def _names_in(folders: Sequence[Path]) -> list[str]:
    """Return the first names in the folders."""
    names: list[str] = []
    for folder in folders:
        names += [entry.name for entry in itertools.islice(entries_of(folder), SHOWN)]
    return names[:SHOWN]
