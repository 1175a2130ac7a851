"""Reading the tables: ids, tags, the rules that labels keep, and right names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from competition.checks.report import Finding, about
from competition.common.text import first
from competition.labels import parse_tags
from competition.spec import Competition, ImageSet

if TYPE_CHECKING:
    import pandas as pd


def check_ids(name: str, ids: Sequence[str]) -> Iterator[Finding]:
    """Find ids that occur more than once.

    Args:
        name: of the table, for the finding.
        ids: its ids.
    """
    yield from about("error", f"{name}: repeated ids", [value for value, n in Counter(ids).items() if n > 1])


def check_labels(table: pd.DataFrame, competition: Competition) -> tuple[NDArray[np.bool_], list[Finding]]:
    """Find what is wrong in a table of labels, where `read_label_table` would stop at the first error.

    Args:
        table: the table of labels as text.
        competition: its labels and their rules.

    Returns:
        Bool array (num_chips, num_labels) of what could be read, and the findings.
    """
    tables = competition.tables
    name, ids = tables.train, table[tables.id_column].to_numpy(dtype=object)
    findings = list(check_ids(name, ids.tolist()))
    read = _read_tags if tables.tags_column else _read_columns
    truth, found = read(table, competition, ids)
    findings += [*found, *_check_rules(truth, competition, ids)]
    unused = [label for label, column in competition.label_index.items() if not truth[:, column].any()]
    if unused:
        findings.append(Finding("warning", f"{name}: no chip carries {first(unused)}; that cannot be learned."))
    return truth, findings


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
    name, suffix = images.renamed, images.suffix
    old, new = table["old"].tolist(), table["new"].tolist()
    yield from check_ids(f"{name}, column old", old)
    yield from check_ids(f"{name}, column new", new)
    bare = [entry for entry in chain(old, new) if not entry.lower().endswith(suffix.lower())]
    yield from about("error", f"{name}: names that do not end in {suffix}", bare)
    if test is not None:
        known = {entry + suffix for entry in test}
        yield from about("error", f"{name}: new names that are not in the sample submission", _without(new, known))
    if on_disk:
        there = {path.name for folder in on_disk for path in folder.iterdir()}
        yield from about("warning", f"{name}: old names without a file", _without(old, there))
    kind = "a permutation" if sorted(old) == sorted(new) else "not a permutation: old and new are different sets"
    yield Finding("note", f"{name} renames {len(old):,} chips; it is {kind}.")


def _without(names: Sequence[str], known: set[str]) -> list[str]:
    return [name for name in names if name not in known]


def _read_tags(
    table: pd.DataFrame, competition: Competition, ids: NDArray[Any]
) -> tuple[NDArray[np.bool_], list[Finding]]:
    name, texts = competition.tables.train, table[competition.tables.tags_column].tolist()
    truth = np.zeros((len(ids), len(competition.labels)), dtype=bool)
    unknown: Counter[str] = Counter()
    with_unknown, repeating = [], []
    for row, text in enumerate(texts):
        tags = parse_tags(text)
        if strange := tags - competition.label_index.keys():
            unknown.update(strange)
            with_unknown.append(ids[row])
        if len(text.split()) > len(tags):
            repeating.append(ids[row])
        truth[row, [competition.label_index[tag] for tag in tags - strange]] = True
    listed = first(f"{tag} ({count:,}x)" for tag, count in unknown.most_common())
    findings = about("error", f"{name}: chips with unknown tags {listed}", with_unknown)
    findings += about("note", f"{name}: chips that repeat a tag, which changes nothing", repeating)
    return truth, findings


def _read_columns(
    table: pd.DataFrame, competition: Competition, ids: NDArray[Any]
) -> tuple[NDArray[np.bool_], list[Finding]]:
    cells = table[list(competition.labels)].to_numpy(dtype=object)
    wrong = ~np.isin(cells, ["0", "1"]).all(axis=1)
    text = f"{competition.tables.train}: chips with label cells other than 0 and 1"
    return cells == "1", about("error", text, ids[wrong])


def _check_rules(truth: NDArray[np.bool_], competition: Competition, ids: NDArray[Any]) -> Iterator[Finding]:
    """Find rows that carry none or several labels of an exclusive group, or company of a label that stands alone."""
    name = competition.tables.train
    for group, columns in zip(competition.exclusive, competition.exclusive_columns, strict=True):
        carried = truth[:, columns].sum(axis=1)
        yield from about("warning", f"{name}: chips with none of {', '.join(group)}", ids[carried == 0])
        yield from about("warning", f"{name}: chips with several of {', '.join(group)}", ids[carried > 1])
    for label in competition.alone:
        together = truth[:, competition.label_index[label]] & (truth.sum(axis=1) > 1)
        yield from about("warning", f"{name}: chips with {label} and other labels", ids[together])
    bare = ~truth.any(axis=1)
    if not competition.exclusive:  # otherwise named above
        yield from about("note", f"{name}: chips without a label", ids[bare])
