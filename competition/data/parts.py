"""Whether several folders, or archives, of one name are parts of one whole, or copies of each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from competition.common.packed import stem_of
from competition.data.search import NUMBER, Content, members_of
from competition.index.chip_index import Naming


def apart(folders: Sequence[Path], namings: Iterable[Naming]) -> tuple[list[Path], list[Path], int]:
    """Tell folders that hold other chips than the others from copies, which share a file's name with a larger one.

    Args:
        folders: the folders; of two as large the first is preferred.
        namings: how the chips in them are called.

    Returns:
        The parts, the copies, and the number of chips in the parts.
    """
    namings = tuple(namings)
    if len(set(folders)) == 1 and len(namings) == 1 and not namings[0].images.is_split:
        return [folders[0]], [], sum(1 for _ in namings[0].files_in(folders[0]))
    parts: list[Path] = []
    copies: list[Path] = []
    seen: set[str] = set()
    inside = {folder: {path for naming in namings for path, _ in naming.files_in(folder)} for folder in folders}
    # Those with the most files first: a small choice of all chips is no reason to leave the rest out.
    for folder in sorted(inside, key=lambda folder: -len(inside[folder])):
        if parts and inside[folder] & seen:
            copies.append(folder)
        elif inside[folder] or not parts:
            parts.append(folder)
            seen |= inside[folder]
    parts = [folder for folder in inside if folder in parts]
    return parts, copies, max(_num_chips(seen, naming) for naming in namings)


def _num_chips(files: Iterable[str], naming: Naming) -> int:
    return len({found[0] for path in files if (found := naming.read(path)) is not None})


def parted(archives: Sequence[Path], namings: Iterable[Naming]) -> tuple[list[Path], list[Path]]:
    """Tell archives of one name that are parts from copies of the first.

    Only the lists of zips are looked at: what else is called alike counts as a copy, such as one of another format.

    Args:
        archives: of one name.
        namings: how the chips in them are called; other files say nothing, such as a README in each.

    Returns:
        The parts, and the copies.
    """
    parts, copies = list(archives[:1]), []
    suffixes = tuple(suffix for naming in namings for suffix in naming.known_suffixes)
    seen = _names_in(archives[0], suffixes) if len(archives) > 1 else set()
    for archive in archives[1:]:
        names = _names_in(archive, suffixes)
        if seen and names and not names & seen and all(archive.parent != part.parent for part in parts):
            parts.append(archive)
            seen |= names
        else:
            copies.append(archive)
    return parts, copies


def _names_in(archive: Path, suffixes: tuple[str, ...]) -> set[str]:
    if archive.suffix.lower() != ".zip":
        return set()
    return {member.rpartition("/")[2] for member in members_of(archive) if member.lower().endswith(suffixes)}


def numbered_parts(name: str, content: Content) -> list[Path]:
    """Return the numbered archives of a folder that are to be unpacked.

    Where such a folder lies unpacked, these are the parts that do not; they are no parts of a folder whose own path has
    no number.
    """
    archives, unpacked = content.parts.get(name, []), content.unpacked.get(name, [])
    if not unpacked:
        return [] if name in content.archives else archives
    number = re.compile(rf"{re.escape(name.rpartition('/')[2])}{NUMBER}", re.IGNORECASE)
    above = {part for folder in unpacked for part in folder.parts if number.fullmatch(part)}
    return [archive for archive in archives if above and stem_of(archive.name) not in above]
