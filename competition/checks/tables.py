"""What is wrong with the tables: ids, tags, the rules that labels keep, and right names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from competition.checks.report import Finding, about
from competition.common.errors import UserError
from competition.common.text import cut, first
from competition.spec.competition import Competition
from competition.spec.images import ImageSet
from competition.tables.cells import CellValues
from competition.tables.joined import read_column
from competition.tables.label_table import LabelRows
from competition.tables.labels import to_multi_hot

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = 3


def check_ids(name: str, ids: Sequence[str]) -> Iterator[Finding]:
    """Find ids that occur more than once.

    Args:
        name: of the table, for the finding.
        ids: its ids.
    """
    yield from about("error", f"{name}: repeated ids", [value for value, n in Counter(ids).items() if n > 1])


def check_labels(table: LabelRows, competition: Competition) -> tuple[NDArray[np.bool_], list[Finding]]:
    """Find what is wrong in a table of labels, and what is odd though it can be used.

    Args:
        table: the table of labels.
        competition: its labels and their rules.

    Returns:
        Bool array (num_chips, num_labels) of what can be read, and the findings.
    """
    name, ids = first(competition.tables.train, EXAMPLES), np.array(table.names, dtype=object)
    findings = [Finding("error", f"{name}: {problem.text()}.") for problem in table.problems]
    if table.cells:
        text = f"{name}: cells whose meaning the competition file says: {_cells(table, competition)}."
        findings.append(Finding("note", text))
    repeating = [chip for chip, tags in zip(table.names, table.tags, strict=True) if len(set(tags)) < len(tags)]
    findings += about("note", f"{name}: chips that repeat a tag, which changes nothing", repeating)
    known = frozenset(competition.labels)
    truth = to_multi_hot(([tag for tag in tags if tag in known] for tags in table.tags), competition)
    faults = [problem.count for problem in table.problems if problem.kind in ("cells", "tags")]
    if 2 * max(faults, default=0) >= max(1, len(ids)):  # what such rows lack only follows from that
        return truth, findings
    findings += _check_rules(truth, competition, ids)
    unused = [label for label, column in competition.label_index.items() if not truth[:, column].any()]
    if unused and table.is_table:
        findings.append(
            Finding("warning", f"{name}: no chip carries {first(map(cut, unused))}; that cannot be learned.")
        )
    return truth, findings


def check_columns(paths: Sequence[Path], ids: Sequence[str], competition: Competition) -> Iterator[Finding]:
    """Find chips without a group or a delivered fold, where the competition file names a column of these.

    Args:
        paths: of the training tables.
        ids: of the labelled chips.
        competition: names the columns.
    """
    tables = competition.tables
    columns = {
        "group_column": (tables.group_column, "fill it in, or give folds --group '' for no groups"),
        "fold_column": (tables.fold_column, "fill it in, or take that entry out of the file"),
    }
    for entry, (column, remedy) in columns.items():
        if column is None:
            continue
        try:
            cells = read_column(paths, tables, competition.labels, column)
        except UserError as error:
            yield Finding("error", f"{entry}: {error}")
            continue
        text = f"{first(tables.train, EXAMPLES)}: chips with a blank {entry} {column!r}; {remedy}"
        yield from about("error", text, [name for name in ids if not cells.get(name)], EXAMPLES)


def check_renaming(
    table: pd.DataFrame, images: ImageSet, on_disk: Sequence[Path], test: Sequence[str] | None
) -> Iterator[Finding]:
    """Find what is wrong in a table of right names: it must give each file one name of its own, and a known one.

    Args:
        table: the table, columns `old` and `new`.
        images: the rendering it is for.
        on_disk: folders with the files; empty if there are none.
        test: ids of the sample submission, if there is one.
    """
    name, suffixes = images.renamed, " or ".join(images.suffix)
    old, new = table["old"].tolist(), table["new"].tolist()
    yield from check_ids(f"{name}, column old", old)
    yield from check_ids(f"{name}, column new", new)
    bare = [entry for entry in chain(old, new) if not entry.lower().endswith(images.suffix)]
    yield from about("error", f"{name}: names that do not end in {suffixes}", bare)
    if test is not None:
        known = {_stem(entry, images) for entry in test}
        strange = [entry for entry in new if _stem(entry, images) not in known]
        yield from about("error", f"{name}: new names that are not in the sample submission", strange)
    if on_disk:
        there = {path.name for folder in on_disk for path in folder.iterdir()}
        absent = [entry for entry in old if entry not in there]
        yield from about("warning", f"{name}: old names without a file", absent)
    kind = "a permutation" if sorted(old) == sorted(new) else "not a permutation: old and new are different sets"
    yield Finding("note", f"{name} renames {len(old):,} chips; it is {kind}.")


def _stem(name: str, images: ImageSet) -> str:
    """Return an id or the name of a file without folders and suffix; an id may have them or not."""
    last = name.rpartition("/")[2]
    return next((last[: -len(end)] for end in images.suffix if last.lower().endswith(end)), last)


def _check_rules(truth: NDArray[np.bool_], competition: Competition, ids: NDArray[Any]) -> Iterator[Finding]:
    """Find rows that carry none or several labels of an exclusive group, or company of a label that stands alone."""
    name, bare = first(competition.tables.train, EXAMPLES), ~truth.any(axis=1)
    for group, columns in zip(competition.exclusive, competition.exclusive_columns, strict=True):
        carried = truth[:, columns].sum(axis=1)
        none = (carried == 0) & ~bare if competition.unlabelled else carried == 0
        yield from about("warning", f"{name}: chips with none of {first(map(cut, group))}", ids[none])
        yield from about("warning", f"{name}: chips with several of {first(map(cut, group))}", ids[carried > 1])
    for label in competition.alone:
        together = truth[:, competition.label_index[label]] & (truth.sum(axis=1) > 1)
        yield from about("warning", f"{name}: chips with {cut(label)} and other labels", ids[together])
    if competition.unlabelled:
        yield from about("note", f"{name}: chips without a label", ids[bare], EXAMPLES)
    elif not competition.exclusive:  # otherwise named above
        text = f"{name}: chips without a label, and the competition file does not say unlabelled = true"
        yield from about("warning", text, ids[bare], EXAMPLES)


def _cells(table: LabelRows, competition: Competition) -> str:
    """Return how often each text stands whose meaning the competition file says, and that meaning."""
    values = CellValues(competition.tables)
    counts = sorted(table.cells.items(), key=lambda item: -item[1])
    return first(f"{repr(text) if text else 'blank'} as {values[text]} ({times:,})" for text, times in counts)
