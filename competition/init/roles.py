"""Which table is which: of labels, or the sample submission; and which of its columns is which."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import replace

from competition.common.errors import UserError
from competition.common.text import first
from competition.init.forms import Wishes, is_binary, label_columns, tags_columns
from competition.init.reading import OF_TEST, Candidate, Labelled, read_labels
from competition.survey.grids import Grid, OneColumnError, natural, read_grid
from competition.survey.ids import IdColumn, Match, Names, id_columns, row_form, stem_of
from competition.survey.listing import Listing

UNNAMED = ("", "Unnamed: 0", "index")  # numbers of rows, as pandas writes them
OF_SAMPLE = re.compile(r"sample|submission|submit", re.I)
SAME = 0.9  # share of the chips that two tables side by side must have in common
NEAR = 0.5  # share of the pictures that the best table names; a table that names fewer is no rival


def read_grids(listing: Listing) -> list[Grid]:
    """Return the tables among the files; what is not a table is noted, unless it is plain text."""
    grids = []
    for piece in listing.tables:
        try:
            if piece.open is None:
                raise csv.Error("unpack its archive")
            grids.append(read_grid(piece.path, piece.read()))
        except (csv.Error, ValueError, RuntimeError, EOFError) as error:
            if piece.suffix != ".txt" and not isinstance(error, OneColumnError):
                listing.notes.append(f"{piece.path} is not a table: {str(error).splitlines()[0]}")
    return [grid for grid in grids if grid.rows]


def named(grids: Sequence[Grid], name: str, flag: str) -> Grid:
    """Return the table that a flag names.

    Raises:
        UserError: if there is none, or several; it names those that there are.
    """
    wanted = name.removesuffix(".zip").removesuffix(".7z")
    found = [grid for grid in grids if grid.path == wanted] or [grid for grid in grids if grid.name == wanted]
    if len(found) == 1:
        return found[0]
    known = first((grid.path for grid in found or grids), 8) or "none"
    raise UserError(f"{flag} {name}: {'several tables have' if found else 'no table has'} this name. Tables: {known}.")


def find_sample(grids: Sequence[Grid], wishes: Wishes, names: Names) -> Grid | None:
    """Return the sample submission; None if there is none.

    It is known by its name, or by rows that all say the same.
    """
    if wishes.sample_submission == "":
        return None
    if wishes.sample_submission:
        return named(grids, wishes.sample_submission, "--sample-submission")
    rest = [grid for grid in grids if wishes.train_table not in (grid.path, grid.name)]
    called = [grid for grid in rest if OF_SAMPLE.search(grid.name)]
    alike = [
        grid for grid in rest if grid.is_constant and _says_labels(grid, rest) and _names_chips(grid, names, grids)
    ]
    found = called or alike if len(rest) > 1 or wishes.train_table or called else []
    return max(found, key=lambda grid: (len(grid.rows), natural(grid.name)), default=None)


def _says_labels(grid: Grid, others: Sequence[Grid]) -> bool:
    """Return whether the row that a table repeats could be an answer: numbers up to 1, or words of another table."""
    cells = {cell for name in grid.header if len(grid.values(name)) == 1 for cell in grid.values(name)}
    if all(re.fullmatch(r"0|1|[01]?\.\d+", cell) for cell in cells):
        return True
    words = {word for cell in cells for word in re.split(r"[ ,;|]+", cell)}
    known = (other.values(name) for other in others if other is not grid for name in other.header)
    return any(words & set(re.split(r"[ ,;|]+", cell)) for values in known for cell in values if cell)


def _names_chips(grid: Grid, names: Names, grids: Sequence[Grid]) -> bool:
    if id_columns(grid, names):
        return True
    shared = [other for other in grids if other is not grid and grid.header[0] in other.header]
    return bool(shared or row_form(grid.values(grid.header[0]), names.stems)[0])


def find_labels(grids: Sequence[Grid], sample: Grid | None, names: Names, wishes: Wishes) -> Labelled:
    """Return the table of labels, read.

    Raises:
        UserError: if there is none, or it cannot be told which table or column it is; the line names the flag.
    """
    rest = [grid for grid in grids if grid is not sample and not OF_SAMPLE.search(grid.name)]
    if wishes.train_table:
        rest = [named(grids, wishes.train_table, "--train-table")]
    known = [one for grid in rest if (one := _candidate(grid, sample, names, wishes))]
    if not known:
        raise _nothing_fits(rest, names, wishes)
    rivals = [one for one in known if one.hits >= NEAR * max(one.hits for one in known)]
    best = max(one.rank(sample) for one in rivals)
    rivals = [one for one in rivals if one.rank(sample) == best]
    chosen = max(rivals, key=lambda one: (one.hits, natural(one.grid.name)))
    beside = _beside(chosen, known if sample else rivals, sample)
    others = [one for one in rivals if one is not chosen and one not in beside]
    if strange := [one for one in others if set(one.grid.header) != set(chosen.grid.header)]:
        listed = " or ".join(one.grid.path for one in [chosen, *strange][:3])
        raise UserError(f"Which table has the labels: {listed}? Give --train-table, with one of them.")
    column = _id_column(chosen, sample, wishes)
    whole = _side_by_side(chosen, beside, column.name)
    labelled = read_labels(whole, column, sample, names, wishes)
    more = [one.grid for one in known if one is not chosen and one not in beside]
    lacks_sample = sample is None and wishes.sample_submission != ""
    below = _below(labelled, more, lacks_sample=lacks_sample)
    if below:
        questions, test = labelled.questions, labelled.test
        labelled = read_labels(replace(whole, grid=_stacked([whole.grid, *below])), column, sample, names, wishes)
        labelled.questions, labelled.test = questions, test
    joined = [one.grid for one in (chosen, *beside)] + below
    labelled.paths = sorted((grid.path for grid in joined), key=natural)
    return labelled


def _beside(chosen: Candidate, known: Sequence[Candidate], sample: Grid | None) -> list[Candidate]:
    """Return the tables that have further columns of labels of the same chips."""
    own = chosen.ids[0].name
    ids, wanted = set(chosen.grid.values(own)), set(sample.header) if sample else None
    found = []
    for one in known:
        new = set(one.columns) - set(chosen.columns)
        is_wanted = new == set(one.columns) if wanted is None else bool(new) and new <= wanted
        is_other = one is not chosen and chosen.columns and own in one.grid.header
        if is_other and is_wanted and len(ids & one.grid.values(own).keys()) >= SAME * len(ids):
            found.append(one)
    return found


def _side_by_side(chosen: Candidate, beside: Sequence[Candidate], own: str) -> Candidate:
    """Return tables of the same chips as one, of the chips that are in all."""
    grid, columns = chosen.grid, chosen.columns
    for one in beside:
        new = [name for name in one.columns if name not in columns]
        cells = zip(one.grid.column(own), zip(*(one.grid.column(name) for name in new), strict=True), strict=True)
        rows = dict(cells)
        place = grid.header.index(own)
        both = [[*row, *rows[row[place]]] for row in grid.rows if row[place] in rows]
        grid = replace(grid, header=(*grid.header, *new), rows=both, _columns={})
        columns = (*columns, *new)
    return replace(chosen, grid=grid, columns=columns)


def _stacked(grids: Sequence[Grid]) -> Grid:
    """Return tables with the same columns as one, in the order of the first."""
    header = grids[0].header
    rows = [row for grid in grids for row in zip(*(grid.column(name) for name in header), strict=True)]
    return replace(grids[0], rows=[list(row) for row in rows], _columns={})


def _candidate(grid: Grid, sample: Grid | None, names: Names, wishes: Wishes) -> Candidate | None:
    """Return a table as one that may have the labels; None if it names no pictures or says nothing about them."""
    if set(grid.header) == {"old", "new"}:
        return None  # a table of names that were mended
    wished = wishes.id_column
    if wished is not None and wished not in grid.header:
        return None
    ids = id_columns(grid, names)
    if first_line := [column.name for column in ids if names.has(column.name)]:
        raise UserError(f"{grid.path} has no header: its first line names the picture {first_line[0]}. Add one.")
    if wished is not None:
        match = names.match(grid.values(wished))
        ids = [IdColumn(wished, match)] if match else []
    if not ids:
        for name in [wished] if wished is not None else grid.header:
            row_id, labels = row_form(grid.values(name), names.stems)
            if row_id and len(labels) >= 2 and any(is_binary(grid.values(each)) for each in grid.others(name)):
                match = Match("stem", len(grid.values(name)) // len(labels))
                return Candidate(grid, (IdColumn(name, match),), (), is_rows=True)
        return None
    columns = label_columns(grid, ids[0].name, sample)
    says = len(columns) >= 2 or wishes.tags_column or tags_columns(grid, ids[0].name, sample, [c.name for c in ids])
    return Candidate(grid, tuple(ids), tuple(columns)) if says else None


def _id_column(chosen: Candidate, sample: Grid | None, wishes: Wishes) -> IdColumn:
    """Return the column of the ids.

    Raises:
        UserError: if several could be it.
    """
    likely = [column for column in chosen.ids if column.name not in UNNAMED] or list(chosen.ids)
    if len(likely) == 1:
        return likely[0]
    shared = [column for column in likely if sample and column.name in sample.header]
    if len(shared) == 1:
        return shared[0]
    listed = " or ".join(repr(column.name) for column in likely[:3])
    raise UserError(
        f"{chosen.grid.path}: which column is the id, {listed}? Each names {chosen.hits:,} pictures. "
        "Give --id-column, with one of them."
    )


def _below(labelled: Labelled, known: Sequence[Grid], *, lacks_sample: bool) -> list[Grid]:
    """Return further tables of labels with the same columns, but of no test set and of no chip that was named."""
    own, ids, found = labelled.id_column, set(labelled.form.ids), list[Grid]()
    for grid in known:
        if not set(grid.header) >= set(labelled.grid.header):
            continue
        theirs = set(grid.column(own))
        if OF_TEST.search(grid.path) and lacks_sample and labelled.test is None and not theirs & ids:
            labelled.test = grid
            why = "it was taken for the sample submission, as it is named after a test"
        elif OF_TEST.search(grid.path):
            why = "it was not joined, as it is named after a test"
        elif theirs & ids:
            why = "it was not joined, as it names the same chips"
        else:
            found.append(grid)
            ids |= theirs
            continue
        labelled.questions.append(f"{grid.path} has labels too; {why}. --train-table takes one table alone.")
    return found


def _wrong_id_column(grids: Sequence[Grid], names: Names, wished: str) -> UserError:
    """Return the error for a column of ids that no table has, or that names no pictures, with one that does."""
    having = [grid for grid in grids if wished in grid.header]
    if having:
        cell = next((cell for cell in having[0].column(wished) if cell), "")
        why = f"{having[0].path} has it, but its cells, such as {cell!r}, name no file such as {names.pictures[0].path}"
    else:
        why = f"there is no such column: {grids[0].path} has {first(map(repr, grids[0].header), 8)}"
    fitting = ((grid, column) for grid in having or grids for column in id_columns(grid, names))
    hint = next((f" Column {c.name!r} of {grid.path} names {c.match.hits:,} pictures." for grid, c in fitting), "")
    return UserError(f"--id-column {wished!r}: {why}.{hint}")


def _nothing_fits(grids: Sequence[Grid], names: Names, wishes: Wishes) -> UserError:
    """Return the error where no table names pictures and says something about them, with the likely mistakes."""
    if not grids:
        return UserError(
            "No table of labels was found: expected a .csv, .tsv or .txt with a header, ids and labels, plain or in an "
            "archive. Where folders say the class, write such a table: a row per picture, with its path and its folder."
        )
    looked = first((f"{grid.path} ({first(map(repr, grid.header), 3)})" for grid in grids), 3)
    example = next((cell for grid in grids for cell in grid.column(grid.header[0])), "")
    picture, wished = names.pictures[0].path, wishes.id_column
    for grid in grids:
        for name in grid.header if wished is None else {wished} & set(grid.header):
            ends = [cell for cell in grid.values(name) if "." in cell and stem_of(cell) in names.stems]
            if len(ends) > len(grid.rows) / 2:
                return UserError(
                    f"{grid.path}, column {name!r}: ids and files have different suffixes: {ends[0]!r}, but "
                    f"files such as {picture}. Write the ids without suffix, or with that of the files."
                )
    if wished is not None and not any(wished in grid.header and names.match(grid.values(wished)) for grid in grids):
        return _wrong_id_column(grids, names, wished)
    return UserError(
        f"No table names the {len(names.pictures):,} pictures and says what they carry. Looked for names such as "
        f"{picture} in {looked}, which has {example!r}. Likely: the pictures of these rows are not here; ids and "
        "files are spelled differently; or the table has no header."
    )
